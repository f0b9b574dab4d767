/** What the panel of corrections says. */
import type { Language } from "../words/choice.js";

interface FeedbackWords {
  readonly title: string;
  readonly titleCorrected: string;
  /** The person's category and the model's, which differ. */
  readonly corrected: (category: string, models: string) => string;
  readonly agreed: (category: string) => string;
  /** The one sentence that a person agrees to. */
  readonly consent: (photos: number, category: string, days: number) => string;
  readonly more: string;
  readonly tickFirst: string;
  readonly keep: string;
  readonly keepInstead: string;
  readonly sending: string;
  /** The person cancelled while it was sent. */
  readonly stopped: string;
  readonly kept: (photos: number, category: string, until: string) => string;
  readonly remove: string;
  readonly removing: string;
  readonly removed: string;
  /** The server has no room, or cannot write. */
  readonly noRoom: string;
  readonly notRemoved: string;
  /** Another category is kept, and the one before could not be removed. */
  readonly notReplaced: (before: string) => string;
}

const en: FeedbackWords = {
  title: "Help the model learn",
  titleCorrected: "Help the model learn from this",
  corrected: (category, models) => `You say “${category}”, the model said “${models}”.`,
  agreed: (category) => `The model said “${category}”, and you left it at that.`,
  consent: (photos, category, days) =>
    `I agree that ${photos === 1 ? "this photo" : `these ${photos} photos`} and the category “${category}” are kept on this server for ${days} ${days === 1 ? "day" : "days"} to train the model; what the file says about place, time and camera is removed first.`,
  more: "Nothing is sent before you agree, nobody is shown it on this page, and you can have it removed again right here, in this browser. What can be seen in the photo stays in it.",
  tickFirst: "Nothing was sent: tick the box first, if you agree.",
  keep: "Keep it for training",
  keepInstead: "Keep this category instead",
  sending: "Sending it",
  stopped: "Stopped. If it had arrived by then, it is removed from the server again.",
  kept: (photos, category, until) =>
    `${photos === 1 ? "The photo is" : `${photos} photos are`} kept as “${category}” until ${until}. Thank you.`,
  remove: "Remove it again",
  removing: "Removing it",
  removed: "Removed. Nothing of it is kept on the server.",
  noRoom: "This server has no room for it at the moment. Nothing was kept.",
  notRemoved: "It could not be removed just now.",
  notReplaced: (before) =>
    `What was kept before, as “${before}”, could not be removed just now. “${en.remove}” removes both.`,
};

const de: FeedbackWords = {
  title: "Dem Modell beim Lernen helfen",
  titleCorrected: "Dem Modell hieran etwas beibringen",
  corrected: (category, models) => `Du sagst „${category}“, das Modell sagte „${models}“.`,
  agreed: (category) => `Das Modell sagte „${category}“, und du hast es dabei gelassen.`,
  consent: (photos, category, days) =>
    `Ich bin einverstanden, dass ${photos === 1 ? "dieses Foto" : `diese ${photos} Fotos`} und die Kategorie „${category}“ ${days === 1 ? "einen Tag" : `${days} Tage`} lang auf diesem Server behalten werden, um das Modell zu trainieren; was die Datei über Ort, Zeit und Kamera sagt, wird vorher entfernt.`,
  more: "Vor deiner Zustimmung wird nichts gesendet, auf dieser Seite bekommt es niemand zu sehen, und du kannst es hier, in diesem Browser, wieder löschen lassen. Was auf dem Foto zu sehen ist, bleibt darauf.",
  tickFirst: "Es wurde nichts gesendet: Setz zuerst das Häkchen, wenn du einverstanden bist.",
  keep: "Fürs Training behalten",
  keepInstead: "Stattdessen diese Kategorie behalten",
  sending: "Wird gesendet",
  stopped: "Abgebrochen. War es schon angekommen, wird es auf dem Server wieder gelöscht.",
  kept: (photos, category, until) =>
    `${photos === 1 ? "Das Foto wird" : `${photos} Fotos werden`} als „${category}“ bis zum ${until} behalten. Danke.`,
  remove: "Wieder löschen",
  removing: "Wird gelöscht",
  removed: "Gelöscht. Auf dem Server ist nichts davon geblieben.",
  noRoom: "Dieser Server hat gerade keinen Platz dafür. Es wurde nichts behalten.",
  notRemoved: "Es konnte gerade nicht gelöscht werden.",
  notReplaced: (before) =>
    `Was vorher als „${before}“ behalten wurde, konnte gerade nicht gelöscht werden. „${de.remove}“ löscht beides.`,
};

const ar: FeedbackWords = {
  title: "ساعد النموذج على التعلّم",
  titleCorrected: "ساعد النموذج على التعلّم من هذا",
  corrected: (category, models) => `أنت تقول «${category}»، والنموذج قال «${models}».`,
  agreed: (category) => `قال النموذج «${category}»، وتركته أنت كما هو.`,
  consent: (photos, category, days) =>
    `أوافق على حفظ ${photos === 1 ? "هذه الصورة" : `هذه الصور (${photos})`} والفئة «${category}» على هذا الخادم لتدريب النموذج، مدة الحفظ بالأيام: ${days}؛ ويُحذف قبل ذلك ما يذكره الملف عن المكان والوقت والكاميرا.`,
  more: "لا يُرسل شيء قبل موافقتك، ولا تُعرض الصورة على أحد في هذه الصفحة، ويمكنك طلب حذفها من هنا في هذا المتصفح. ما يظهر في الصورة يبقى فيها.",
  tickFirst: "لم يُرسل شيء: ضع العلامة أولًا إن كنت موافقًا.",
  keep: "احفظها للتدريب",
  keepInstead: "احفظ هذه الفئة بدلًا منها",
  sending: "جارٍ الإرسال",
  stopped: "أُوقف الإرسال. إن كان قد وصل فسيُحذف من الخادم من جديد.",
  kept: (photos, category, until) =>
    `${photos === 1 ? "حُفظت الصورة" : `حُفظت الصور (${photos})`} باسم «${category}» حتى ${until}. شكرًا لك.`,
  remove: "احذفها من جديد",
  removing: "جارٍ الحذف",
  removed: "حُذفت. لم يبقَ منها شيء على الخادم.",
  noRoom: "لا مكان لها على هذا الخادم الآن. لم يُحفظ شيء.",
  notRemoved: "تعذّر حذفها الآن.",
  notReplaced: (before) => `تعذّر الآن حذف ما حُفظ من قبل باسم «${before}». الزر «${ar.remove}» يحذف الاثنين.`,
};

export const feedbackWords: Readonly<Record<Language, FeedbackWords>> = { en, de, ar };
