/** What the panel "Show me how" says. */
import type { Language } from "../words/choice.js";
import type { Hop } from "./steps.js";

interface HowWords {
  readonly asking: string;
  readonly ready: string;
  readonly cancel: string;
  readonly retry: string;
  readonly lead: string;
  readonly ofPhoto: (number: string) => string;
  readonly original: string;
  readonly originalAlt: string;
  readonly originalFacts: (format: string, width: string, height: string, size: string) => string;
  readonly shrunk: string;
  readonly upright: string;
  readonly uprightAlt: string;
  readonly stays: string;
  readonly turned: string;
  readonly notTurned: string;
  readonly square: string;
  readonly squareAlt: string;
  readonly squareFacts: (width: string, height: string) => string;
  readonly squareText: string;
  readonly approximate: string;
  readonly scores: string;
  readonly scoresText: string;
  readonly probabilities: string;
  /** `all`: one hundred percent. */
  readonly logits: (temperature: string, all: string) => string;
  readonly already: string;
  readonly best: (shown: string, all: string) => string;
  readonly label: string;
  readonly score: string;
  readonly probability: string;
  readonly times: string;
  readonly hop: string;
  readonly time: string;
  readonly hops: Readonly<Record<Hop, string>>;
  readonly all: string;
  readonly forSupport: string;
  readonly request: string;
  readonly model: string;
  readonly contract: string;
  readonly tensor: string;
  readonly channels: Readonly<Record<"red" | "green" | "blue", string>>;
  readonly range: (min: string, max: string, mean: string) => string;
  readonly copy: string;
  readonly copied: string;
  readonly copyByHand: string;
}

const en: HowWords = {
  asking: "Reading the photo once more, step by step.",
  ready: "The steps are shown.",
  cancel: "Cancel",
  retry: "Try again",
  lead: "What became of the photo on its way to the answer. It was read once more for this; the times are of that reading.",
  ofPhoto: (number) => `Photo ${number} decided, so these are its steps.`,
  original: "The file",
  originalAlt: "The photo as it is stored in the file",
  originalFacts: (format, width, height, size) => `${format}, ${width} × ${height} pixels, ${size}`,
  shrunk: "It was made smaller in this browser before it was sent; that keeps the answer.",
  upright: "Turned upright",
  uprightAlt: "The photo, upright",
  stays: "It was upright already.",
  turned: "Phones store photos as the sensor lay, with a note on how to turn them. The note was followed.",
  notTurned:
    "The file has a note on how to turn it. This model was trained without such notes, so the pixels stay as they are stored.",
  square: "What the model sees",
  squareAlt: "The photo as the model sees it",
  squareFacts: (width, height) => `${width} × ${height} pixels`,
  squareText: "Every photo is brought to one size. This is all that the model ever gets.",
  approximate: "The model gets numbers that are finer than a screen shows; this is the nearest picture.",
  scores: "Scores",
  scoresText: "The model answers one number for each category: the higher, the more it fits.",
  probabilities: "Probabilities",
  logits: (temperature, all) =>
    `The scores are divided by ${temperature}, which was measured so that the model is as sure as it is right, and turned into shares that add up to ${all}.`,
  already: "This model answers probabilities itself.",
  best: (shown, all) => `The best ${shown} of ${all}.`,
  label: "Category",
  score: "Score",
  probability: "Probability",
  times: "Where the time went",
  hop: "Hop",
  time: "Time",
  hops: {
    network: "Network: to this site and back",
    fetch: "Fetching the linked photo",
    decode: "Opening the file, turning it",
    resize: "Bringing it to the model's size",
    predict: "The model, and the way to it",
    explain: "Preparing what is shown here",
    rest: "Everything else",
  },
  all: "All together",
  forSupport: "For support",
  request: "Request",
  model: "Model",
  contract: "Contract",
  tensor: "Input",
  channels: { red: "Red", green: "Green", blue: "Blue" },
  range: (min, max, mean) => `${min} to ${max}, mean ${mean}`,
  copy: "Copy as text",
  copied: "Copied.",
  copyByHand: "Copy the text from here:",
};

const de: HowWords = {
  asking: "Das Foto wird noch einmal gelesen, Schritt für Schritt.",
  ready: "Die Schritte werden gezeigt.",
  cancel: "Abbrechen",
  retry: "Noch einmal",
  lead: "Was auf dem Weg zur Antwort mit dem Foto geschah. Dafür wurde es noch einmal gelesen; die Zeiten sind von diesem Mal.",
  ofPhoto: (number) => `Foto ${number} gab den Ausschlag, deshalb sind es seine Schritte.`,
  original: "Die Datei",
  originalAlt: "Das Foto, wie es in der Datei liegt",
  originalFacts: (format, width, height, size) => `${format}, ${width} × ${height} Pixel, ${size}`,
  shrunk: "Sie wurde vor dem Senden in diesem Browser verkleinert; die Antwort bleibt dabei dieselbe.",
  upright: "Aufrecht gedreht",
  uprightAlt: "Das Foto, aufrecht",
  stays: "Es war schon aufrecht.",
  turned:
    "Telefone speichern Fotos so, wie der Sensor lag, mit einem Vermerk, wie sie zu drehen sind. Er wurde befolgt.",
  notTurned:
    "Die Datei hat einen Vermerk, wie sie zu drehen ist. Dieses Modell wurde ohne solche Vermerke trainiert, deshalb bleiben die Pixel, wie sie liegen.",
  square: "Was das Modell sieht",
  squareAlt: "Das Foto, wie das Modell es sieht",
  squareFacts: (width, height) => `${width} × ${height} Pixel`,
  squareText: "Jedes Foto wird auf eine Größe gebracht. Mehr als dies bekommt das Modell nie.",
  approximate: "Das Modell bekommt feinere Zahlen, als ein Bildschirm zeigt; dies ist das nächste Bild.",
  scores: "Punkte",
  scoresText: "Das Modell antwortet mit einer Zahl je Kategorie: je höher, desto besser passt sie.",
  probabilities: "Wahrscheinlichkeiten",
  logits: (temperature, all) =>
    `Die Punkte werden durch ${temperature} geteilt, so gemessen, dass das Modell so sicher ist, wie es recht hat, und in Anteile umgerechnet, die zusammen ${all} ergeben.`,
  already: "Dieses Modell antwortet selbst mit Wahrscheinlichkeiten.",
  best: (shown, all) => `Die besten ${shown} von ${all}.`,
  label: "Kategorie",
  score: "Punkte",
  probability: "Wahrschein\u00adlichkeit",
  times: "Wohin die Zeit ging",
  hop: "Abschnitt",
  time: "Zeit",
  hops: {
    network: "Netz: zu dieser Website und zurück",
    fetch: "Das verlinkte Foto holen",
    decode: "Die Datei öffnen und drehen",
    resize: "Auf die Größe des Modells bringen",
    predict: "Das Modell und der Weg dorthin",
    explain: "Vorbereiten, was hier gezeigt wird",
    rest: "Alles andere",
  },
  all: "Alles zusammen",
  forSupport: "Für die Hilfe",
  request: "Anfrage",
  model: "Modell",
  contract: "Vertrag",
  tensor: "Eingabe",
  channels: { red: "Rot", green: "Grün", blue: "Blau" },
  range: (min, max, mean) => `${min} bis ${max}, im Mittel ${mean}`,
  copy: "Als Text kopieren",
  copied: "Kopiert.",
  copyByHand: "Den Text von hier kopieren:",
};

const ar: HowWords = {
  asking: "تُقرأ الصورة مرة أخرى خطوة بخطوة.",
  ready: "الخطوات معروضة.",
  cancel: "إلغاء",
  retry: "حاول مرة أخرى",
  lead: "ما جرى للصورة في طريقها إلى الإجابة. قُرئت لذلك مرة أخرى، والأزمنة لتلك القراءة.",
  ofPhoto: (number) => `الصورة ${number} هي التي حسمت الأمر، وهذه خطواتها.`,
  original: "الملف",
  originalAlt: "الصورة كما هي محفوظة في الملف",
  originalFacts: (format, width, height, size) => `${format}، ${width} × ${height} بكسل، ${size}`,
  shrunk: "صُغِّرت في هذا المتصفح قبل إرسالها، والإجابة تبقى كما هي.",
  upright: "تدويرها إلى وضعها الصحيح",
  uprightAlt: "الصورة في وضعها الصحيح",
  stays: "كانت في وضعها الصحيح.",
  turned: "تحفظ الهواتف الصور كما كان وضع المستشعر مع ملاحظة عن كيفية تدويرها، وقد اتُّبعت.",
  notTurned:
    "في الملف ملاحظة عن كيفية تدويره. دُرّب هذا النموذج دون هذه الملاحظات، لذلك تبقى وحدات البكسل كما هي محفوظة.",
  square: "ما يراه النموذج",
  squareAlt: "الصورة كما يراها النموذج",
  squareFacts: (width, height) => `${width} × ${height} بكسل`,
  squareText: "تُحوَّل كل صورة إلى حجم واحد. هذا كل ما يصل إلى النموذج.",
  approximate: "يتلقى النموذج أرقامًا أدق مما تعرضه الشاشة؛ وهذه أقرب صورة إليها.",
  scores: "الدرجات",
  scoresText: "يجيب النموذج برقم لكل فئة: كلما ارتفع كانت أنسب.",
  probabilities: "الاحتمالات",
  logits: (temperature, all) =>
    `تُقسم الدرجات على ${temperature}، وهو رقم قيس بحيث تطابق ثقة النموذج صوابه، ثم تُحوَّل إلى نسب مجموعها ${all}.`,
  already: "يجيب هذا النموذج بالاحتمالات مباشرة.",
  best: (shown, all) => `أفضل ${shown} من ${all}.`,
  label: "الفئة",
  score: "الدرجة",
  probability: "الاحتمال",
  times: "أين ذهب الوقت",
  hop: "المرحلة",
  time: "الزمن",
  hops: {
    network: "الشبكة: إلى هذا الموقع والعودة",
    fetch: "جلب الصورة من الرابط",
    decode: "فتح الملف وتدويره",
    resize: "تحويلها إلى حجم النموذج",
    predict: "النموذج والطريق إليه",
    explain: "تجهيز ما يُعرض هنا",
    rest: "ما عدا ذلك",
  },
  all: "المجموع",
  forSupport: "للدعم",
  request: "الطلب",
  model: "النموذج",
  contract: "العقد",
  tensor: "المدخل",
  channels: { red: "الأحمر", green: "الأخضر", blue: "الأزرق" },
  range: (min, max, mean) => `من ${min} إلى ${max}، والمتوسط ${mean}`,
  copy: "انسخ كنص",
  copied: "تم النسخ.",
  copyByHand: "انسخ النص من هنا:",
};

export const howWords: Readonly<Record<Language, HowWords>> = { en, de, ar };
