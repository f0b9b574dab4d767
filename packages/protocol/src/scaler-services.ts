/** The RPCs by which KEDA asks an external scaler. */
import {
  GetMetricSpecResponse,
  GetMetricsRequest,
  GetMetricsResponse,
  IsActiveResponse,
  ScaledObjectRef,
} from "./gen/keda/externalscaler.js";
import { method } from "./method-definition.js";

const SERVICE = "/externalscaler.ExternalScaler";

export const IS_ACTIVE = method(`${SERVICE}/IsActive`, ScaledObjectRef, IsActiveResponse);

/** Server-streaming. */
export const STREAM_IS_ACTIVE = method(`${SERVICE}/StreamIsActive`, ScaledObjectRef, IsActiveResponse);

export const GET_METRIC_SPEC = method(`${SERVICE}/GetMetricSpec`, ScaledObjectRef, GetMetricSpecResponse);
export const GET_METRICS = method(`${SERVICE}/GetMetrics`, GetMetricsRequest, GetMetricsResponse);
