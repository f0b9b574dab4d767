/** What the panel "Why?" says. */
import type { Language } from "../words/choice.js";
import type { Field, Place, Third } from "./place.js";

const whole = (language: string) => new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format;

interface WhyWords {
  readonly asking: string;
  readonly cancel: string;
  readonly retry: string;
  readonly alt: (photo: string) => string;
  readonly photo: (number: number) => string;
  /** The model's category by now, and when the photo was read. */
  readonly changed: (now: string, before: string) => string;
  readonly sentence: (category: string, place: Place) => string;
  /** In percentage points, at least 1. */
  readonly drop: (points: number) => string;
  readonly activation: string;
  readonly occlusion: (parts: number) => string;
  readonly flatActivation: string;
  readonly decided: (number: number) => string;
  readonly unseen: string;
  readonly strength: string;
  readonly little: string;
  readonly much: string;
  readonly noPicture: string;
}

const EN_ROWS: Record<Third, string> = { start: "upper", middle: "middle", end: "lower" };
const EN_COLUMNS: Record<Third, string> = { start: "left", middle: "middle", end: "right" };

function enField({ row, column }: Field): string {
  if (row === "middle")
    return column === "middle" ? "the centre" : `the middle of the ${EN_COLUMNS[column]} side`;
  return `the ${EN_ROWS[row]} ${EN_COLUMNS[column]}`;
}

const en: WhyWords = {
  asking: "Looking for the evidence in the photo.",
  cancel: "Cancel",
  retry: "Try again",
  alt: (photo) => `${photo} under a map of the evidence`,
  photo: (number) => `Photo ${whole("en")(number)}`,
  changed: (now, before) => `By now the model says “${now}”; it said “${before}” when the photo was read.`,
  sentence(category, place) {
    switch (place.name) {
      case "nowhere":
        return `No single part of the photo stands out for “${category}”.`;
      case "everywhere":
        return `What speaks for “${category}” is spread over the photo, and strongest in ${enField(place.strongest)}.`;
      case "row":
        return `What speaks for “${category}” lies mostly across the ${EN_ROWS[place.row]} part of the photo.`;
      case "column":
        return place.column === "middle"
          ? `What speaks for “${category}” lies mostly down the middle of the photo.`
          : `What speaks for “${category}” lies mostly along the ${EN_COLUMNS[place.column]} side of the photo.`;
      case "field":
        return `What speaks for “${category}” lies mostly in ${enField(place)} of the photo.`;
    }
  },
  drop: (points) =>
    `With the most important part hidden, the probability fell by ${points} percentage ${points === 1 ? "point" : "points"}.`,
  activation: "The map comes from the model itself: how strongly it saw this category in each part.",
  occlusion: (parts) =>
    `To find this out, ${whole("en")(parts)} parts of the photo were hidden one after another and read again. Bright is where hiding hurt the answer.`,
  flatActivation: "The model found nothing in the photo that speaks for this category by itself.",
  decided: (number) => `Photo ${whole("en")(number)} decided, so the map is of that one.`,
  unseen: "The model does not look at the hatched edges.",
  strength: "Strength of the map",
  little: "speaks little for it",
  much: "speaks much for it",
  noPicture: "The photo itself cannot be shown here; this is the map alone.",
};

const DE_ROWS: Record<Third, string> = { start: "oben", middle: "in der Mitte", end: "unten" };
const DE_COLUMNS: Record<Third, string> = { start: "links", middle: "in der Mitte", end: "rechts" };

function deField({ row, column }: Field): string {
  if (row === "middle") return column === "middle" ? "in der Mitte" : `${DE_COLUMNS[column]} in der Mitte`;
  return `${DE_ROWS[row]} ${DE_COLUMNS[column]}`;
}

const de: WhyWords = {
  asking: "Im Foto wird gesucht, was dafür spricht.",
  cancel: "Abbrechen",
  retry: "Noch einmal",
  alt: (photo) => `${photo} unter einer Karte dessen, was dafür spricht`,
  photo: (number) => `Foto ${whole("de")(number)}`,
  changed: (now, before) =>
    `Inzwischen sagt das Modell „${now}“; als das Foto gelesen wurde, sagte es „${before}“.`,
  sentence(category, place) {
    switch (place.name) {
      case "nowhere":
        return `Kein einzelner Teil des Fotos spricht besonders für „${category}“.`;
      case "everywhere":
        return `Was für „${category}“ spricht, verteilt sich über das Foto; am stärksten ist es ${deField(place.strongest)}.`;
      case "row":
        return `Was für „${category}“ spricht, liegt vor allem ${place.row === "middle" ? "auf halber Höhe" : DE_ROWS[place.row]}, über die ganze Breite des Fotos.`;
      case "column":
        return `Was für „${category}“ spricht, liegt vor allem ${DE_COLUMNS[place.column]}, über die ganze Höhe des Fotos.`;
      case "field":
        return `Was für „${category}“ spricht, liegt vor allem ${deField(place)} im Foto.`;
    }
  },
  drop: (points) =>
    `Als der wichtigste Teil verdeckt war, sank die Wahrscheinlichkeit um ${points} ${points === 1 ? "Prozentpunkt" : "Prozentpunkte"}.`,
  activation: "Die Karte stammt vom Modell selbst: wie stark es die Kategorie in jedem Teil gesehen hat.",
  occlusion: (parts) =>
    `Dafür wurden ${whole("de")(parts)} Teile des Fotos nacheinander verdeckt und neu gelesen. Hell ist, wo das Verdecken der Antwort schadete.`,
  flatActivation: "Das Modell fand im Foto nichts, was für sich allein für diese Kategorie spricht.",
  decided: (number) => `Foto ${whole("de")(number)} gab den Ausschlag, deshalb gilt die Karte für dieses.`,
  unseen: "Die schraffierten Ränder sieht das Modell nicht.",
  strength: "Stärke der Karte",
  little: "spricht wenig dafür",
  much: "spricht stark dafür",
  noPicture: "Das Foto selbst kann hier nicht gezeigt werden; dies ist nur die Karte.",
};

const AR_ROWS: Record<Third, string> = { start: "الأعلى", middle: "الوسط", end: "الأسفل" };
const AR_COLUMNS: Record<Third, string> = { start: "اليسار", middle: "الوسط", end: "اليمين" };

function arField({ row, column }: Field): string {
  if (row === "middle" && column === "middle") return "وسط الصورة";
  if (row === "middle") return `وسط جهة ${AR_COLUMNS[column]} من الصورة`;
  if (column === "middle") return row === "start" ? "وسط أعلى الصورة" : "وسط أسفل الصورة";
  return `${row === "start" ? "أعلى" : "أسفل"} ${column === "start" ? "يسار" : "يمين"} الصورة`;
}

const ar: WhyWords = {
  asking: "يجري البحث في الصورة عمّا يدل على ذلك.",
  cancel: "إلغاء",
  retry: "حاول مرة أخرى",
  alt: (photo) => `${photo} تحت خريطة لما يدل على الفئة`,
  photo: (number) => `الصورة ${number}`,
  changed: (now, before) => `يقول النموذج الآن «${now}»، وكان قد قال «${before}» حين قُرئت الصورة.`,
  sentence(category, place) {
    switch (place.name) {
      case "nowhere":
        return `لا يبرز جزء بعينه من الصورة دليلًا على «${category}».`;
      case "everywhere":
        return `ما يدل على «${category}» موزع على الصورة، وأقواه في ${arField(place.strongest)}.`;
      case "row":
        return `ما يدل على «${category}» يقع غالبًا في ${AR_ROWS[place.row]} على عرض الصورة.`;
      case "column":
        return `ما يدل على «${category}» يقع غالبًا في ${AR_COLUMNS[place.column]} على ارتفاع الصورة.`;
      case "field":
        return `ما يدل على «${category}» يقع غالبًا في ${arField(place)}.`;
    }
  },
  drop: (points) => `عند حجب الجزء الأهم انخفض الاحتمال (بالنقاط المئوية: ${points}).`,
  activation: "الخريطة من النموذج نفسه: مدى ما رآه من هذه الفئة في كل جزء.",
  occlusion: (parts) =>
    `لمعرفة ذلك حُجبت أجزاء الصورة واحدًا بعد آخر وقُرئت من جديد (عددها ${parts}). المناطق الفاتحة هي التي أضرّ حجبها بالإجابة.`,
  flatActivation: "لم يجد النموذج في الصورة ما يدل وحده على هذه الفئة.",
  decided: (number) => `الصورة ${number} هي التي حسمت الأمر، لذلك فالخريطة لها.`,
  unseen: "النموذج لا ينظر إلى الأطراف المظللة.",
  strength: "شدة الخريطة",
  little: "دلالة ضعيفة",
  much: "دلالة قوية",
  noPicture: "لا يمكن عرض الصورة نفسها هنا؛ هذه هي الخريطة وحدها.",
};

export const whyWords: Readonly<Record<Language, WhyWords>> = { en, de, ar };
