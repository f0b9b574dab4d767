import type { FaultFacts, Words } from "./en.js";

const plural = new Intl.PluralRules("ar");

/** "صورة واحدة", "صورتان", "3 صور", "11 صورة": Arabic has a form for one, for two, for few and for many. */
function photos(count: number): string {
  switch (plural.select(count)) {
    case "one":
      return "صورة واحدة";
    case "two":
      return "صورتان";
    case "few":
      return `${count} صور`;
    default:
      return `${count} صورة`;
  }
}

function categoriesFound(count: number): string {
  switch (plural.select(count)) {
    case "one":
      return "فئة واحدة";
    case "two":
      return "فئتان";
    case "few":
      return `${count} فئات`;
    default:
      return `${count} فئة`;
  }
}

/** Keeps Latin names, numbers and addresses from being torn apart in text that runs from right to left (U+2068, U+2069). */
function isolate(text: string): string {
  return `\u2068${text}\u2069`;
}

export const ar: Words = {
  api: "API",
  language: "اللغة",
  documentTitle: (what: string) => `${what} – Vitrine`,
  question: (what: string) => `${what}؟`,
  over: (number: string) => `أكثر من ${number}`,
  under: (number: string) => `أقل من ${number}`,
  about: (amount: string) => `نحو ${amount}`,
  closeNotice: "إغلاق هذه الرسالة",
  footer:
    "تُرسل الصورة إلى هذا الخادم لقراءتها ولا تُحفظ فيه، إلا إذا وافقت على ذلك عند تصحيح فئة. تبقى المسودات في هذا المتصفح سبعة أيام على الأكثر.",

  start: {
    heading: "ماذا تعرض للبيع؟",
    lead: "أضف صورة أو أكثر للسلعة واقرأ الفئة التي تنتمي إليها.",
    drop: "أفلت الصور هنا أو اخترها",
    knows: (categories: string) => `يعرف: ${categories}.`,
    knowsCount: (count: string) => `يعرف ${count} فئة.`,
    samples: "ليس لديك صورة؟ جرّب رسمًا",
    sampleNames: { dress: "فستان", hat: "قبعة", shoes: "حذاء", trousers: "بنطال" },
    drafts: "مسوداتك في هذا المتصفح",
  },

  ways: {
    title: "صورك",
    titleAnother: "سلعة أخرى",
    choose: "اختر صورًا",
    camera: "التقط صورة",
    limits: (kinds: string, size: string, count: number) =>
      count > 1
        ? `${kinds}، حتى ${isolate(size)} لكل صورة. الحد الأقصى للسلعة الواحدة: ${photos(count)}.`
        : `${kinds}، حتى ${isolate(size)}.`,
    kindsUnknown: "JPEG أو PNG أو WebP أو GIF.",
    link: "أو رابط صورة",
    read: "اقرأها",
    hint: "يمكنك أيضًا إفلات الصور أو رابط أو لصقها في أي مكان من هذه الصفحة.",
    noLink: "هذا ليس رابطًا. يبدأ الرابط بـ \u2068https://\u2069 أو \u2068http://\u2069",
    emptyLink: "اكتب رابطًا أو الصقه أولًا.",
    nothingPasted: "لا توجد صورة ولا رابط في الحافظة.",
    nothingDropped: "ما أفلتَّه لا يحتوي على صورة ولا رابط.",
    leftOut: (count: number) => `تُركت ملفات ليست صورًا، عددها: ${count}.`,
    leftOutLinks: (count: number) => `تُركت روابط جاءت مع الملفات، عددها: ${count}. أضفها على حدة.`,
    leftOutAddresses: (count: number) => `تُركت عناوين ليست روابط لمواقع، عددها: ${count}.`,
    onlySome: (used: number, given: number) =>
      `الحد الأقصى للسلعة الواحدة: ${photos(used)}؛ أُخذت أول ${used} من ${given}.`,
  },

  where: {
    title: (count: number) => (count === 1 ? "إلى أين تنتمي هذه الصورة؟" : "إلى أين تنتمي هذه الصور؟"),
    titleLink: "إلى أين ينتمي هذا الرابط؟",
    add: "أضفها إلى هذه السلعة",
    another: "ابدأ سلعة أخرى",
    cancel: "اتركها",
    dropAdd: "أفلت هنا: صورة أخرى لهذه السلعة",
    dropAnother: "أفلت هنا: سلعة أخرى",
  },

  photos: {
    strip: "صور هذه السلعة",
    yours: "صورتك",
    yoursOf: (category: string) => `صورتك: ${category}`,
    number: (number: string) => `الصورة ${number}`,
    removeAndRead: (others: number) => (others === 1 ? "أزلها واقرأ الأخرى" : "أزلها واقرأ الباقي"),
    show: (number: string) => `اعرض الصورة ${number}`,
    remove: (number: string) => `أزل الصورة ${number}`,
    add: "أضف صورة لهذه السلعة",
    said: (category: string, percent: string) => `${category}، ${percent}`,
    added: (count: number) => `أُضيف إلى هذه السلعة: ${photos(count)}.`,
    removed: "أُزيلت من هذه السلعة.",
    from: (host: string) => `صورة من ${isolate(host)}`,
    loadingFrom: (host: string) => `يجري جلب الصورة من ${isolate(host)}`,
    cannotShow: (name: string) => `لا يمكن عرض ${isolate(name)} هنا`,
    thisFile: "هذا الملف",
  },

  reading: {
    preparing: "يجري تجهيز الصورة",
    sending: "يجري إرسال الصورة",
    sendingSeveral: "يجري إرسال الصور",
    reading: "تجري قراءة الصورة",
    readingSeveral: "تجري قراءة الصور",
    from: (host: string) => `يجري جلبها من ${isolate(host)}.`,
    slow: "هذا أبطأ من المعتاد. يمكنك الانتظار أو الإلغاء.",
    again: "تُركت قبل وصول الجواب، لذلك تُقرأ من جديد.",
    slowAnnounced: "ما زالت القراءة جارية. هذا أبطأ من المعتاد.",
    documentTitle: "قراءة…",
    cancel: "إلغاء",
    retry: "حاول مرة أخرى",
  },

  answer: {
    category: "الفئة",
    yourChoice: "اختيارك",
    notSure: "غير متأكد",
    which: "تناسب هذه الصورة أكثر من فئة. أيها الصحيحة؟",
    whichSeveral: "تناسب هذه الصور أكثر من فئة. أيها الصحيحة؟",
    couldBe: "قد تكون",
    couldBeAnnounced: (choices: string) => `غير متأكد. قد تكون ${choices}.`,
    ifNot: "وإلا فربما",
    chosenInstead: (category: string, percent: string) => `قال النموذج: ${category}، ${percent}.`,
    chosenAnnounced: (category: string) => `الفئة الآن: ${category}.`,
    undo: "تراجع",
    none: "لا شيء منها",
    other: "فئة أخرى",
    search: "ابحث في كل الفئات",
    found: (count: number) => `عدد النتائج: ${categoriesFound(count)}.`,
    noneFound: "لا توجد فئة بهذا الاسم.",
    moreFound: (count: number) => `وهناك ${categoriesFound(count)} غيرها؛ تابع الكتابة لتراها.`,
    fromSeveral: (count: number) => `عدد الصور: ${count}.`,
    onlyThese: (count: number) =>
      `عدد ما يعرفه النموذج: ${categoriesFound(count)} فقط، ويسمّي إحداها لأي صورة.`,
    facts: (model: string, version: string, duration: string) =>
      `${isolate(model)}، الإصدار ${isolate(version)}، ${isolate(duration)}`,
  },

  certainty: { certain: "شبه مؤكد", very: "محتمل جدًا", likely: "محتمل", possible: "ممكن" },

  draft: {
    title: "مسودة الإعلان",
    note: "لا يُنشر شيء. تُحفظ المسودة في هذا المتصفح فقط.",
    notKept: "لا يُنشر شيء. لا يستطيع هذا المتصفح حفظ المسودة: ستزول عند إغلاق الصفحة.",
    yourWords: "كلماتك",
    yourWordsHint: "العلامة، اللون، المقاس",
    listingTitle: "العنوان",
    category: "الفئة",
    suggestion: (words: string, category: string) => (words === "" ? category : `${category} – ${words}`),
    useSuggestion: "استخدم العنوان المقترح",
    copy: "انسخ المسودة",
    copied: "المسودة في الحافظة.",
    discard: "احذف هذه السلعة",
    discarded: "حُذفت السلعة من هذا المتصفح.",
    asText: (title: string, category: string) => `${title}\nالفئة: ${category}`,
  },

  copy: {
    title: "للبرامج",
    json: "انسخ الجواب بصيغة JSON",
    curl: "انسخه كأمر curl",
    copied: "تم النسخ.",
    byHand: "لا يسمح هذا المتصفح للصفحة بالنسخ. انسخه من هنا:",
  },

  key: {
    label: "مفتاح هذا الموقع",
    hint: "اسأل من يدير هذا الموقع. يُحفظ المفتاح حتى تغلق علامة التبويب هذه، ولا يُرسل إلا إلى هذا الخادم.",
    use: "استخدم هذا المفتاح",
    empty: "اكتب المفتاح أو الصقه أولًا.",
  },

  panels: { why: "لماذا؟", how: "أرني كيف" },

  faults: {
    tryIn: (wait: string) => `حاول مرة أخرى بعد ${wait}.`,
    tryNow: "يمكنك المحاولة مرة أخرى الآن.",
    request: (id: string) => `الطلب ${isolate(id)}`,
    tooLarge: {
      title: "هذه الصورة كبيرة جدًا",
      text: ({ size, mostSize }: FaultFacts) => [
        size === undefined ? "" : `حجمها ${isolate(size)}.`,
        mostSize === undefined ? "" : `يمكن قراءة صور حتى ${isolate(mostSize)}.`,
        "استخدم نسخة أصغر منها أو لقطة شاشة.",
      ],
    },
    tooManyPixels: {
      title: "في هذه الصورة عدد كبير جدًا من البكسلات",
      text: ({ mostMegapixels }: FaultFacts) => [
        "استخدم نسخة أصغر منها أو لقطة شاشة.",
        mostMegapixels === undefined ? "" : `يمكن قراءة ${mostMegapixels} ميغابكسل على الأكثر.`,
      ],
    },
    unsupported: {
      title: "لا يمكن قراءة هذا النوع من الملفات",
      text: ({ kinds }: FaultFacts) => [`يمكن أن تكون الصور ${kinds}.`],
    },
    heic: {
      title: "لا يمكن قراءة صور HEIC هنا",
      text: () => [
        "هكذا تحفظ هواتف iPhone الصور، ولا يستطيع هذا المتصفح فتحها.",
        "صدّر الصورة بصيغة JPEG ثم أضفها، أو أضف لقطة شاشة لها.",
        "وتكون الصور الجديدة بصيغة JPEG مع الإعدادات، الكاميرا، التنسيقات، الأكثر توافقًا.",
      ],
    },
    undecodable: {
      title: "هذه الصورة تالفة",
      text: () => ["الملف ناقص أو معطوب. احفظه من جديد أو اختر صورة أخرى."],
    },
    changed: {
      title: "لم تعد قراءة هذا الملف ممكنة",
      text: () => ["لقد عُدّل أو نُقل أو حُذف منذ اخترته. اختره من جديد كما هو الآن."],
    },
    empty: {
      title: "هذا الملف فارغ",
      text: () => ["هكذا تصل صورة محفوظة في السحابة فقط. نزّلها أولًا على هذا الجهاز أو اختر صورة أخرى."],
    },
    tooMany: {
      title: "هذه صور كثيرة جدًا",
      text: ({ mostPhotos }: FaultFacts) => [
        mostPhotos === undefined ? "أزل بعضها." : `الحد الأقصى للسلعة الواحدة هو ${mostPhotos}. أزل بعضها.`,
      ],
    },
    linkInvalid: {
      title: "لا يمكن استخدام هذا الرابط",
      text: () => [
        "يبدأ رابط الصورة بـ \u2068https://\u2069 أو \u2068http://\u2069 ولا يحتوي على كلمة مرور.",
      ],
    },
    linkForbidden: {
      title: "لا يمكن فتح هذا الرابط من هنا",
      text: () => ["هذا الموقع غير موجود أو ليس عامًا. تحقق من الكتابة، أو احفظ الصورة واخترها كملف."],
    },
    linkFailed: {
      title: "لم يعطِ الرابط صورة",
      text: ({ host = "الموقع" }: FaultFacts) => [
        `لم يسلّمها ${isolate(host)}. تحقق من الرابط، أو احفظ الصورة واخترها كملف.`,
      ],
    },
    linkSlow: {
      title: "الرابط بطيء جدًا",
      text: ({ host = "الموقع" }: FaultFacts) => [
        `تأخر ${isolate(host)} كثيرًا في تسليم الصورة. حاول مرة أخرى، أو احفظ الصورة واخترها كملف.`,
      ],
    },
    key: {
      title: "يطلب هذا الموقع مفتاحًا",
      text: () => ["تُقرأ الصور هنا لمن لديه مفتاح فقط. صورتك محفوظة هنا."],
    },
    keyWrong: {
      title: "هذا المفتاح غير معروف هنا",
      text: () => ["تحقق من عدم نقص أي حرف، أو اسأل من يدير هذا الموقع."],
    },
    clientLimit: { title: "كانت هذه صورًا كثيرة في وقت قصير", text: () => ["صورتك محفوظة هنا."] },
    busy: { title: "تجري قراءة صور كثيرة الآن", text: () => ["صورتك محفوظة هنا."] },
    starting: { title: "القارئ يعيد التشغيل", text: () => ["صورتك محفوظة هنا."] },
    late: { title: "استغرق هذا وقتًا طويلًا", text: () => ["لم يصل جواب في الوقت المحدد. صورتك محفوظة هنا."] },
    stopped: { title: "توقفت القراءة", text: () => ["صورتك محفوظة هنا."] },
    internal: {
      title: "حدث خطأ في هذا الموقع",
      text: () => ["ليس السبب صورتك، وهي محفوظة هنا. حاول مرة أخرى بعد قليل."],
    },
    offline: {
      title: "أنت غير متصل بالإنترنت",
      text: () => ["صورتك محفوظة هنا وستُقرأ حالما يعود الاتصال."],
    },
    unreachable: {
      title: "لا يمكن الوصول إلى الخادم",
      text: () => ["فشل الاتصال أو انقطع. صورتك محفوظة هنا."],
    },
    stalled: { title: "الاتصال بطيء جدًا", text: () => ["لم يصل شيء لفترة. صورتك محفوظة هنا."] },
    misunderstood: {
      title: "هذه الصفحة لا توافق خادمها",
      text: () => ["أعد تحميل الصفحة وأضف الصورة من جديد. إن لم يتغير شيء فأخبر من يدير هذا الموقع."],
    },
    misconfigured: {
      title: "لم يُضبط هذا الموقع كما يجب",
      text: () => ["ليس السبب صورتك. يجد من يدير هذا الموقع السبب في السجل."],
    },
    elsewhere: {
      title: "إنه محفوظ على خادم آخر لهذا الموقع",
      text: () => ["حاول مرة أخرى، فقد تصل المحاولة التالية إليه."],
    },
    gone: { title: "لم يعد هذا موجودًا", text: () => ["ربما حُذف من قبل."] },
    unavailable: { title: "هذا غير متاح هنا", text: () => ["أوقفه من يدير هذا الموقع."] },
  },

  categories: {
    dress: "فستان",
    hat: "قبعة",
    longsleeve: "قميص بأكمام طويلة",
    outwear: "معطف أو سترة",
    pants: "بنطال",
    shirt: "قميص",
    shoes: "حذاء",
    shorts: "سروال قصير",
    skirt: "تنورة",
    "t-shirt": "تيشيرت",
  },
};
