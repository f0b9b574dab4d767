/** What the page says of photos that were given to the server, where their item is not shown. */
import type { Language } from "../words/choice.js";

interface GivenWords {
  readonly title: string;
  readonly entry: (photos: number, category: string, until: string) => string;
  readonly remove: string;
  /** For whoever hears the button without what stands beside it. */
  readonly removeOf: (entry: string) => string;
  readonly removing: string;
  readonly removed: string;
  readonly notRemoved: string;
  /** Once the item of the photos is gone from this browser. */
  readonly stillKept: (photos: number, until: string) => string;
}

const en: GivenWords = {
  title: "Photos that you gave to this server",
  entry: (photos, category, until) =>
    `${photos === 1 ? "1 photo" : `${photos} photos`} as “${category}”, kept until ${until}`,
  remove: "Remove",
  removeOf: (entry) => `Remove: ${entry}`,
  removing: "Removing",
  removed: "Removed. Nothing of it is kept on the server.",
  notRemoved: "It could not be removed just now.",
  stillKept: (photos, until) =>
    `${photos === 1 ? "1 photo that you gave is" : `${photos} photos that you gave are`} still kept on the server until ${until}; you can remove ${photos === 1 ? "it" : "them"} below.`,
};

const de: GivenWords = {
  title: "Fotos, die du diesem Server gegeben hast",
  entry: (photos, category, until) =>
    `${photos === 1 ? "1 Foto" : `${photos} Fotos`} als „${category}“, bis zum ${until}`,
  remove: "Löschen",
  removeOf: (entry) => `Löschen: ${entry}`,
  removing: "Wird gelöscht",
  removed: "Gelöscht. Auf dem Server ist nichts davon geblieben.",
  notRemoved: "Es konnte gerade nicht gelöscht werden.",
  stillKept: (photos, until) =>
    `${photos === 1 ? "1 Foto, das du gegeben hast, bleibt" : `${photos} Fotos, die du gegeben hast, bleiben`} noch bis zum ${until} auf dem Server; du kannst ${photos === 1 ? "es" : "sie"} unten löschen.`,
};

const ar: GivenWords = {
  title: "صور أعطيتها لهذا الخادم",
  entry: (photos, category, until) => `عدد الصور: ${photos}، الفئة «${category}»، تُحفظ حتى ${until}`,
  remove: "احذف",
  removeOf: (entry) => `احذف: ${entry}`,
  removing: "جارٍ الحذف",
  removed: "حُذفت. لم يبقَ منها شيء على الخادم.",
  notRemoved: "تعذّر حذفها الآن.",
  stillKept: (photos, until) =>
    `ما زال على الخادم ما أعطيته حتى ${until} (عدد الصور: ${photos})؛ يمكنك حذفه من الأسفل.`,
};

export const givenWords: Readonly<Record<Language, GivenWords>> = { en, de, ar };
