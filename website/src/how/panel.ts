/** "Show me how": the steps from the file to the probabilities, for those who learn and for support. */
import "./how.css";
import { createFold, type Shown } from "../on-demand/fold.js";
import { pictureOf } from "../on-demand/picture.js";
import type { CreatePanel } from "../panel.js";
import { make } from "../render/find.js";
import { breakableName } from "../words/language.js";
import { barTable } from "./bar-table.js";
import { copyReport } from "./copy-report.js";
import { pngOf } from "./png.js";
import { reportOf } from "./report.js";
import { bestOf, hopsOf, readTold, type Told } from "./steps.js";
import { howWords } from "./words.js";

/** More labels than this are cut off. */
const MOST_LABELS = 12;

export const createHowPanel: CreatePanel = (parts) =>
  createFold<Told>({
    parts,
    path: "/predict?format=predictions&steps=1",
    isOffered: () => true,
    read: readTold,
    words() {
      const { asking, cancel, retry } = howWords[parts.language()];
      return { title: parts.words().panels.how, asking, cancel, retry };
    },
    ready: () => howWords[parts.language()].ready,
    fill(body, shown, signal) {
      const language = parts.language();
      const words = howWords[language];
      const { steps } = shown.value;
      const lead =
        shown.item.photos.length > 1
          ? `${words.lead} ${words.ofPhoto(parts.formats().integer(steps.photo + 1))}`
          : words.lead;
      const list = make("ol", "how-steps");
      list.append(...stepsOf(shown, signal));
      body.replaceChildren(make("p", "", lead), list, timesOf(shown), supportOf(shown));

      function stepsOf({ item, value, files, asked }: Shown<Told>, gone: AbortSignal): HTMLElement[] {
        const { original, upright, input, photo } = value.steps;
        const source = pictureOf({ item, files }, photo, gone);
        const picture = source?.name === "ready" ? source.url : undefined;
        const hops = new Map(hopsOf(value.timings, asked.durationMs));
        const wasShrunk = isShrunk(item.photos[photo], files[photo]);
        const size = [number(original.width), number(original.height)] as const;
        const kind = original.format.toUpperCase();
        return [
          step(words.original, undefined, [
            files[photo] === undefined || picture === undefined
              ? undefined
              : pictureFigure(picture, words.originalAlt, "how-stored"),
            make("p", "fine", words.originalFacts(kind, ...size, parts.formats().size(original.bytes))),
            wasShrunk ? make("p", "", words.shrunk) : undefined,
          ]),
          step(words.upright, hops.get("decode"), [
            upright.used && picture !== undefined
              ? pictureFigure(picture, words.uprightAlt, "how-upright")
              : undefined,
            make("p", "fine", words.squareFacts(number(upright.width), number(upright.height))),
            make(
              "p",
              "",
              original.orientation === 1 ? words.stays : upright.used ? words.turned : words.notTurned,
            ),
          ]),
          step(words.square, hops.get("resize"), [
            pictureFigure(pngOf(input.picture, gone), words.squareAlt, "how-square"),
            make("p", "fine", words.squareFacts(number(input.width), number(input.height))),
            make(
              "p",
              "",
              input.picture_is_exact ? words.squareText : `${words.squareText} ${words.approximate}`,
            ),
          ]),
          ...valuesOf(value, hops.get("predict")),
        ];
      }

      function valuesOf({ steps: { scores, probabilities, temperature } }: Told, ms: number | undefined) {
        const labels = bestOf(steps, MOST_LABELS);
        const all = Object.keys(probabilities).length;
        const values = labels.map((label) => scores[label] ?? 0);
        const [least, most] = [Math.min(...values), Math.max(...values)];
        const cut =
          labels.length < all ? [make("p", "fine", words.best(number(labels.length), number(all)))] : [];
        const isLogits = shown.item.info.score_kind === "logits";
        const name = (label: string) => breakableName(parts.words(), label);
        const probability = labels.map((label) => {
          const share = probabilities[label] ?? 0;
          return [name(label), parts.formats().percent(share), share] as const;
        });
        const score = labels.map((label) => {
          const value = scores[label] ?? 0;
          return [name(label), decimal(value), most > least ? (value - least) / (most - least) : 1] as const;
        });
        return [
          step(words.scores, ms, [
            make("p", "", words.scoresText),
            barTable([words.label, words.score], score),
            ...cut,
          ]),
          step(words.probabilities, undefined, [
            make(
              "p",
              "",
              isLogits ? words.logits(number(temperature, 4), parts.formats().percent(1)) : words.already,
            ),
            barTable([words.label, words.probability], probability),
          ]),
        ];
      }

      function timesOf({ value, asked }: Shown<Told>): HTMLElement {
        const section = make("section", "how-part");
        const hops = hopsOf(value.timings, asked.durationMs);
        const rows = hops.map(
          ([hop, ms]) => [words.hops[hop], parts.formats().milliseconds(ms), ms / asked.durationMs] as const,
        );
        const table = barTable(
          [words.hop, words.time],
          [...rows, [words.all, parts.formats().milliseconds(asked.durationMs), 1]],
        );
        table.classList.add("how-times");
        section.append(make("h3", "", words.times), table);
        return section;
      }

      function supportOf({ value, asked }: Shown<Told>): HTMLElement {
        const section = make("section", "how-part");
        const { model, contract } = value;
        const { input } = steps;
        const requestId = asked.headers.get("x-request-id") ?? "";
        const ranges = input.channels.map(
          ({ colour, min, max, mean }) =>
            `${words.channels[colour]}: ${words.range(number(min, 3), number(max, 3), number(mean, 3))}`,
        );
        const facts = make("dl", "how-facts");
        for (const [term, ...texts] of [
          [words.request, requestId],
          [words.model, `${model.name}, ${model.version}`],
          [words.contract, contract],
          [words.tensor, `${input.name}: ${input.dtype}, ${input.layout}`, ...ranges],
        ]) {
          facts.append(make("dt", "", term), ...texts.map((text) => fact(text)));
        }
        const report = reportOf(value, { requestId, durationMs: asked.durationMs, at: new Date() });
        section.append(make("h3", "", words.forSupport), facts, ...copyReport(report, words, parts.announce));
        return section;
      }

      function step(title: string, ms: number | undefined, content: readonly (HTMLElement | undefined)[]) {
        const item = make("li", "how-step");
        const heading = make("h3", "", title);
        if (ms !== undefined) heading.append(" ", make("span", "how-ms", parts.formats().milliseconds(ms)));
        item.append(heading, ...content.filter((part) => part !== undefined));
        return item;
      }

      function number(value: number, digits = 0): string {
        return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
      }

      function decimal(value: number): string {
        return new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(
          value,
        );
      }
    },
  });

/** The page sent another file than the one that the person gave. */
function isShrunk(photo: Shown<Told>["item"]["photos"][number] | undefined, sent: Blob | undefined): boolean {
  return photo?.kind === "file" && sent !== undefined && sent.size !== photo.file.size;
}

function pictureFigure(url: string, alt: string, className: string): HTMLImageElement {
  const picture = make("img", `how-picture ${className}`);
  picture.alt = alt;
  picture.addEventListener("error", () => picture.remove());
  picture.src = url;
  return picture;
}

/** Digits and names that read from left to right in every language, and may be copied. */
function fact(text: string): HTMLElement {
  const element = make("dd", "", text);
  element.dir = "auto";
  return element;
}
