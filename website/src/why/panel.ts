/** "Why?": where on the photo the evidence for the answer lies. */
import "./why.css";
import { isRecord } from "../gateway/answers.js";
import { createFold, type Shown } from "../on-demand/fold.js";
import { pictureOf } from "../on-demand/picture.js";
import type { CreatePanel } from "../panel.js";
import { make } from "../render/find.js";
import { categoryName } from "../words/language.js";
import { drawHeatmap, hasUnseen, scaleStops } from "./draw.js";
import { type Heatmap, placeOf } from "./place.js";
import { whyWords } from "./words.js";

const USUAL_STRENGTH = 80;

/** A map, and what it explains: by now the model may say something else than when the photo was read. */
interface Evidence extends Heatmap {
  readonly label: string;
}

export const createWhyPanel: CreatePanel = (parts) => {
  /** In percent; kept from photo to photo. */
  let strength = USUAL_STRENGTH;

  const sentenceOf = ({ item, value }: Shown<Evidence>) => {
    const words = whyWords[parts.language()];
    const nameOf = (label: string) => categoryName(parts.words(), label);
    const sentence = words.sentence(nameOf(value.label), placeOf(value));
    return value.label === item.answer.top_class
      ? sentence
      : `${words.changed(nameOf(value.label), nameOf(item.answer.top_class))} ${sentence}`;
  };

  return createFold<Evidence>({
    parts,
    path: "/predict?format=predictions&explain=1",
    isOffered: ({ info }) => info.explain,
    read: (json) =>
      isRecord(json) && isHeatmap(json.heatmap) && typeof json.top_class === "string"
        ? { ...json.heatmap, label: json.top_class }
        : undefined,
    words() {
      const { asking, cancel, retry } = whyWords[parts.language()];
      return { title: parts.words().panels.why, asking, cancel, retry };
    },
    ready: sentenceOf,
    fill(body, shown, signal) {
      const figure = figureOf(shown, signal);
      const map = () => figure.querySelector<HTMLElement>(".why-map");
      // Nothing to compare on a map that is the same everywhere.
      const scale = shown.value.flat ? [] : [strengthOf(map), legendOf()];
      body.replaceChildren(figure, ...scale, notesOf(shown));
    },
  });

  function figureOf(shown: Shown<Evidence>, signal: AbortSignal): HTMLElement {
    const words = whyWords[parts.language()];
    const { value: heatmap, item } = shown;
    const figure = make("figure", "why-figure");
    const frame = make("div", "why-frame");
    const canvas = make("canvas", "why-map");
    canvas.setAttribute("aria-hidden", "true");
    canvas.style.setProperty("opacity", String(strength / 100));
    const picture = make("img", "why-picture");
    picture.alt = words.alt(
      item.photos.length > 1 ? words.photo(heatmap.photo + 1) : parts.words().photos.yours,
    );
    const caption = make("figcaption", "why-sentence", sentenceOf(shown));
    picture.addEventListener("load", () => {
      drawHeatmap(canvas, heatmap, { width: picture.naturalWidth, height: picture.naturalHeight });
    });
    // A photo that this browser cannot show, or a linked one that did not come: the map says where all the same.
    const showBare = () => {
      picture.hidden = true;
      frame.classList.add("is-bare");
      drawHeatmap(canvas, heatmap, { width: 4, height: 4 });
      caption.append(" ", words.noPicture);
    };
    picture.addEventListener("error", () => {
      if (!signal.aborted) showBare();
    });
    const source = pictureOf(shown, heatmap.photo, signal);
    if (source?.name === "ready") picture.src = source.url;
    else if (source?.name !== "loading") showBare();
    frame.append(picture, canvas);
    figure.append(frame, caption);
    return figure;
  }

  function strengthOf(canvas: () => HTMLElement | null): HTMLElement {
    const words = whyWords[parts.language()];
    const row = make("div", "why-strength");
    const label = make("label", "", words.strength);
    const slider = make("input");
    slider.type = "range";
    slider.id = `${parts.root.id}-strength`;
    slider.max = "100";
    slider.step = "5";
    slider.value = String(strength);
    label.htmlFor = slider.id;
    slider.addEventListener("input", () => {
      strength = Number(slider.value);
      canvas()?.style.setProperty("opacity", String(strength / 100));
    });
    row.append(label, slider);
    return row;
  }

  function legendOf(): HTMLElement {
    const words = whyWords[parts.language()];
    const legend = make("p", "why-legend");
    const bar = make("span", "why-scale");
    bar.style.setProperty("--scale", scaleStops(9).join(", "));
    legend.append(bar, make("span", "", words.little), make("span", "", words.much));
    return legend;
  }

  function notesOf({ item, value: heatmap }: Shown<Evidence>): HTMLElement {
    const words = whyWords[parts.language()];
    const notes = [
      item.photos.length > 1 ? words.decided(heatmap.photo + 1) : "",
      heatmap.method === "occlusion"
        ? words.occlusion(heatmap.width * heatmap.height)
        : heatmap.flat
          ? words.flatActivation
          : words.activation,
      heatmap.flat || heatmap.drop === undefined
        ? ""
        : words.drop(Math.max(1, Math.round(100 * heatmap.drop))),
      hasUnseen(heatmap) ? words.unseen : "",
    ];
    return make("p", "fine", notes.filter((note) => note !== "").join(" "));
  }
};

function isHeatmap(value: unknown): value is Heatmap {
  return (
    isRecord(value) &&
    typeof value.width === "number" &&
    typeof value.height === "number" &&
    Array.isArray(value.values) &&
    value.values.length === value.width * value.height &&
    value.values.every((each) => typeof each === "number") &&
    isRecord(value.area) &&
    [value.area.x, value.area.y, value.area.width, value.area.height].every(
      (each) => typeof each === "number",
    ) &&
    typeof value.orientation === "number" &&
    typeof value.photo === "number" &&
    typeof value.flat === "boolean"
  );
}
