/** CPU that the services of the cost table take per picture, measured within a quarter of an hour on one machine. */
import type { Demand, ServiceCost } from "./costs.js";

/** Ours: `vitrine bench` with 341 photos of 29 kB and 4 callers, and the 0.5 ms more that a link takes than an upload. */
export const VITRINE: ServiceCost = { name: "Vitrine", gatewayCpuMs: 5.2, modelCpuMs: 10.6 };

/** The course's: benchmarks/rivals/flask-gateway by link; TensorFlow 2.21 in one thread with Xception of 299 pixels. */
export const COURSE: ServiceCost = {
  name: "Flask + TensorFlow Serving, Xception",
  gatewayCpuMs: 6.9,
  modelCpuMs: 204,
};

/** The course's function: the same Xception by TensorFlow Lite in one thread, and Pillow's decode and resize alone. */
export const COURSE_FUNCTION: ServiceCost = {
  name: "Lambda, TensorFlow Lite, Xception",
  gatewayCpuMs: 1,
  modelCpuMs: 259,
};

/** What Vitrine's CPU would cost as functions. No such package is shipped. */
export const VITRINE_FUNCTION: ServiceCost = { ...VITRINE, name: "Lambda with Vitrine's CPU" };

/** A shop's day: three times as much at its busiest as in the mean; photos of a shop that were made small. */
export const SHOP: Omit<Demand, "picturesPerDay"> = { peakFactor: 3, pictureBytes: 29_477 };
