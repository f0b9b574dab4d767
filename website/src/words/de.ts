import type { FaultFacts, Words } from "./en.js";

function photos(count: number): string {
  return count === 1 ? "1 Foto" : `${count} Fotos`;
}

export const de: Words = {
  api: "API",
  language: "Sprache",
  documentTitle: (what: string) => `${what} – Vitrine`,
  question: (what: string) => `${what}?`,
  over: (number: string) => `über ${number}`,
  under: (number: string) => `unter ${number}`,
  about: (amount: string) => `etwa ${amount}`,
  closeNotice: "Diese Meldung schließen",
  footer:
    "Ein Foto wird zum Lesen an diesen Server geschickt und dort nicht behalten, außer du stimmst dem beim Berichtigen einer Kategorie zu. Entwürfe bleiben in diesem Browser, bis zu sieben Tage.",

  start: {
    heading: "Was bietest du an?",
    lead: "Zeig ein oder mehrere Fotos des Artikels und lies die Kategorie, in die er gehört.",
    drop: "Fotos hierher ziehen oder auswählen",
    knows: (categories: string) => `Kennt ${categories}.`,
    knowsCount: (count: string) => `Kennt ${count} Kategorien.`,
    samples: "Gerade nichts zur Hand? Probier eine Zeichnung",
    sampleNames: { dress: "Kleid", hat: "Hut", shoes: "Schuhe", trousers: "Hose" },
    drafts: "Deine Entwürfe in diesem Browser",
  },

  ways: {
    title: "Deine Fotos",
    titleAnother: "Ein anderer Artikel",
    choose: "Fotos auswählen",
    camera: "Foto aufnehmen",
    limits: (kinds: string, size: string, count: number) =>
      count > 1
        ? `${kinds}, je bis zu ${size}. Bis zu ${photos(count)} eines Artikels.`
        : `${kinds}, bis zu ${size}.`,
    kindsUnknown: "JPEG, PNG, WebP oder GIF.",
    link: "Oder ein Link zu einem Foto",
    read: "Lesen",
    hint: "Du kannst Fotos oder einen Link auch irgendwo auf diese Seite ziehen oder hier einfügen.",
    noLink: "Das ist kein Link. Ein Link beginnt mit https:// oder http://",
    emptyLink: "Gib zuerst einen Link ein.",
    nothingPasted: "In der Zwischenablage ist weder ein Bild noch ein Link.",
    nothingDropped: "Was du abgelegt hast, enthält weder ein Bild noch einen Link.",
    leftOut: (count: number) =>
      count === 1
        ? "1 Datei ist kein Bild und wurde weggelassen."
        : `${count} Dateien sind keine Bilder und wurden weggelassen.`,
    leftOutLinks: (count: number) =>
      count === 1
        ? "1 Link neben den Dateien wurde weggelassen. Gib ihn für sich an."
        : `${count} Links neben den Dateien wurden weggelassen. Gib sie für sich an.`,
    leftOutAddresses: (count: number) =>
      count === 1
        ? "1 Adresse ist kein Link zu einer Website und wurde weggelassen."
        : `${count} Adressen sind keine Links zu einer Website und wurden weggelassen.`,
    onlySome: (used: number, given: number) =>
      `Ein Artikel fasst höchstens ${photos(used)}; die ersten ${used} von ${given} wurden genommen.`,
  },

  where: {
    title: (count: number) => (count === 1 ? "Wohin gehört dieses Foto?" : "Wohin gehören diese Fotos?"),
    titleLink: "Wohin gehört dieser Link?",
    add: "Zu diesem Artikel",
    another: "Neuen Artikel beginnen",
    cancel: "Weglassen",
    dropAdd: "Hier ablegen: noch ein Foto dieses Artikels",
    dropAnother: "Hier ablegen: ein anderer Artikel",
  },

  photos: {
    strip: "Fotos dieses Artikels",
    yours: "Dein Foto",
    yoursOf: (category: string) => `Dein Foto: ${category}`,
    number: (number: string) => `Foto ${number}`,
    removeAndRead: (others: number) =>
      others === 1 ? "Entfernen und das andere lesen" : "Entfernen und die anderen lesen",
    show: (number: string) => `Foto ${number} zeigen`,
    remove: (number: string) => `Foto ${number} entfernen`,
    add: "Noch ein Foto dieses Artikels",
    said: (category: string, percent: string) => `${category}, ${percent}`,
    added: (count: number) =>
      count === 1 ? "Zu diesem Artikel gelegt." : `${photos(count)} zu diesem Artikel gelegt.`,
    removed: "Aus diesem Artikel entfernt.",
    from: (host: string) => `Ein Foto von ${host}`,
    loadingFrom: (host: string) => `Das Foto wird von ${host} geholt`,
    cannotShow: (name: string) => `${name} kann hier nicht gezeigt werden`,
    thisFile: "Diese Datei",
  },

  reading: {
    preparing: "Das Foto wird vorbereitet",
    sending: "Das Foto wird gesendet",
    sendingSeveral: "Die Fotos werden gesendet",
    reading: "Das Foto wird gelesen",
    readingSeveral: "Die Fotos werden gelesen",
    from: (host: string) => `Es wird von ${host} geholt.`,
    slow: "Das dauert länger als sonst. Du kannst warten oder abbrechen.",
    again: "Vorhin kam hier keine Antwort an; deshalb wird noch einmal gelesen.",
    slowAnnounced: "Es wird noch gelesen. Das dauert länger als sonst.",
    documentTitle: "Lesen …",
    cancel: "Abbrechen",
    retry: "Noch einmal versuchen",
  },

  answer: {
    category: "Kategorie",
    yourChoice: "Deine Wahl",
    notSure: "Nicht sicher",
    which: "Dieses Foto passt zu mehr als einer Kategorie. Welche davon ist es?",
    whichSeveral: "Diese Fotos passen zu mehr als einer Kategorie. Welche davon ist es?",
    couldBe: "Es könnte sein",
    couldBeAnnounced: (choices: string) => `Nicht sicher. Es könnte sein: ${choices}.`,
    ifNot: "Wenn nicht, vielleicht",
    chosenInstead: (category: string, percent: string) => `Das Modell sagte: ${category}, ${percent}.`,
    chosenAnnounced: (category: string) => `Die Kategorie ist jetzt ${category}.`,
    undo: "Rückgängig",
    none: "Keine davon",
    other: "Eine andere Kategorie",
    search: "In allen Kategorien suchen",
    found: (count: number) => (count === 1 ? "1 Kategorie gefunden." : `${count} Kategorien gefunden.`),
    noneFound: "Keine Kategorie hat das im Namen.",
    moreFound: (count: number) => `${count} weitere; tippe weiter, um sie zu sehen.`,
    fromSeveral: (count: number) => `Aus ${photos(count)}.`,
    onlyThese: (count: number) =>
      `Das Modell kennt nur ${count} Kategorien und nennt für jedes Bild eine davon.`,
    facts: (model: string, version: string, duration: string) => `${model}, Version ${version}, ${duration}`,
  },

  certainty: {
    certain: "Fast sicher",
    very: "Sehr wahrscheinlich",
    likely: "Wahrscheinlich",
    possible: "Möglich",
  },

  draft: {
    title: "Entwurf der Anzeige",
    note: "Nichts wird veröffentlicht. Der Entwurf bleibt nur in diesem Browser.",
    notKept:
      "Nichts wird veröffentlicht. Dieser Browser kann den Entwurf nicht behalten: Er ist weg, wenn die Seite geschlossen wird.",
    yourWords: "Deine Worte",
    yourWordsHint: "Marke, Farbe, Größe",
    listingTitle: "Titel",
    category: "Kategorie",
    suggestion: (words: string, category: string) => (words === "" ? category : `${words} – ${category}`),
    useSuggestion: "Vorgeschlagenen Titel nehmen",
    copy: "Entwurf kopieren",
    copied: "Der Entwurf ist in der Zwischenablage.",
    discard: "Diesen Artikel verwerfen",
    discarded: "Der Artikel ist aus diesem Browser gelöscht.",
    asText: (title: string, category: string) => `${title}\nKategorie: ${category}`,
  },

  copy: {
    title: "Für Programme",
    json: "Antwort als JSON kopieren",
    curl: "Als curl-Befehl kopieren",
    copied: "Kopiert.",
    byHand: "Dieser Browser lässt die Seite nicht kopieren. Kopiere es von hier:",
  },

  key: {
    label: "Schlüssel dieser Seite",
    hint: "Frag, wer diese Seite betreibt. Der Schlüssel bleibt, bis du diesen Tab schließt, und geht nur an diesen Server.",
    use: "Diesen Schlüssel nehmen",
    empty: "Gib zuerst den Schlüssel ein.",
  },

  panels: { why: "Warum?", how: "Zeig mir, wie" },

  faults: {
    tryIn: (wait: string) => `Versuch es in ${wait} noch einmal.`,
    tryNow: "Du kannst es jetzt noch einmal versuchen.",
    request: (id: string) => `Anfrage ${id}`,
    tooLarge: {
      title: "Dieses Foto ist zu groß",
      text: ({ size, mostSize }: FaultFacts) => [
        size === undefined ? "" : `Es hat ${size}.`,
        mostSize === undefined ? "" : `Fotos bis ${mostSize} können gelesen werden.`,
        "Nimm eine kleinere Fassung oder ein Bildschirmfoto.",
      ],
    },
    tooManyPixels: {
      title: "Dieses Foto hat zu viele Pixel",
      text: ({ mostMegapixels }: FaultFacts) => [
        "Nimm eine kleinere Fassung oder ein Bildschirmfoto.",
        mostMegapixels === undefined ? "" : `Höchstens ${mostMegapixels} Megapixel können gelesen werden.`,
      ],
    },
    unsupported: {
      title: "Diese Art von Datei kann nicht gelesen werden",
      text: ({ kinds }: FaultFacts) => [`Fotos können ${kinds} sein.`],
    },
    heic: {
      title: "HEIC-Fotos können hier nicht gelesen werden",
      text: () => [
        "So speichern iPhones Fotos, und dieser Browser kann sie nicht öffnen.",
        "Exportiere das Foto als JPEG und nimm dieses, oder nimm ein Bildschirmfoto davon.",
        "Neue Fotos sind JPEG mit Einstellungen, Kamera, Formate, Maximale Kompatibilität.",
      ],
    },
    undecodable: {
      title: "Dieses Bild ist beschädigt",
      text: () => [
        "Die Datei ist unvollständig oder kaputt. Speichere sie noch einmal oder wähle ein anderes Foto.",
      ],
    },
    changed: {
      title: "Diese Datei lässt sich nicht mehr lesen",
      text: () => [
        "Sie wurde geändert, verschoben oder gelöscht, seit du sie gewählt hast. Wähle sie noch einmal, so wie sie jetzt ist.",
      ],
    },
    empty: {
      title: "Diese Datei ist leer",
      text: () => [
        "So kommt ein Foto an, das nur in einer Cloud liegt. Lade es zuerst auf dieses Gerät, oder wähle ein anderes.",
      ],
    },
    tooMany: {
      title: "Das sind zu viele Fotos",
      text: ({ mostPhotos }: FaultFacts) => [
        mostPhotos === undefined
          ? "Entferne einige davon."
          : `Ein Artikel fasst höchstens ${mostPhotos}. Entferne einige davon.`,
      ],
    },
    linkInvalid: {
      title: "Dieser Link kann nicht verwendet werden",
      text: () => ["Ein Link zu einem Foto beginnt mit https:// oder http:// und enthält kein Passwort."],
    },
    linkForbidden: {
      title: "Dieser Link kann von hier nicht geöffnet werden",
      text: () => [
        "Diese Website gibt es nicht, oder sie ist nicht öffentlich. Prüf die Schreibweise, oder speichere das Bild und wähle es als Datei.",
      ],
    },
    linkFailed: {
      title: "Der Link ergab kein Bild",
      text: ({ host = "Die Website" }: FaultFacts) => [
        `${host} hat es nicht herausgegeben. Prüf den Link, oder speichere das Bild und wähle es als Datei.`,
      ],
    },
    linkSlow: {
      title: "Der Link ist zu langsam",
      text: ({ host = "Die Website" }: FaultFacts) => [
        `${host} brauchte zu lange, um das Bild herauszugeben. Versuch es noch einmal, oder speichere das Bild und wähle es als Datei.`,
      ],
    },
    key: {
      title: "Diese Seite verlangt einen Schlüssel",
      text: () => ["Fotos werden hier nur für die gelesen, die einen haben. Dein Foto bleibt hier."],
    },
    keyWrong: {
      title: "Dieser Schlüssel ist hier nicht bekannt",
      text: () => ["Prüf, ob Zeichen fehlen, oder frag, wer diese Seite betreibt."],
    },
    clientLimit: { title: "Das waren viele Fotos in kurzer Zeit", text: () => ["Dein Foto bleibt hier."] },
    busy: { title: "Gerade werden viele Fotos gelesen", text: () => ["Dein Foto bleibt hier."] },
    starting: { title: "Der Leser startet gerade neu", text: () => ["Dein Foto bleibt hier."] },
    late: {
      title: "Das hat zu lange gedauert",
      text: () => ["Es kam rechtzeitig keine Antwort. Dein Foto bleibt hier."],
    },
    stopped: { title: "Angehalten", text: () => ["Dein Foto bleibt hier."] },
    internal: {
      title: "Auf dieser Seite ist etwas schiefgegangen",
      text: () => ["Es liegt nicht an deinem Foto, und es bleibt hier. Versuch es gleich noch einmal."],
    },
    offline: {
      title: "Du bist offline",
      text: () => ["Dein Foto bleibt hier und wird gelesen, sobald es eine Verbindung gibt."],
    },
    unreachable: {
      title: "Der Server ist nicht erreichbar",
      text: () => ["Die Verbindung kam nicht zustande oder brach ab. Dein Foto bleibt hier."],
    },
    stalled: {
      title: "Die Verbindung ist zu langsam",
      text: () => ["Eine Weile kam nichts durch. Dein Foto bleibt hier."],
    },
    misunderstood: {
      title: "Diese Seite passt nicht zu ihrem Server",
      text: () => [
        "Lade die Seite neu und gib das Foto noch einmal. Wenn das nichts ändert, sag es dem Betreiber dieser Seite.",
      ],
    },
    misconfigured: {
      title: "Diese Seite ist nicht richtig eingerichtet",
      text: () => [
        "Es liegt nicht an deinem Foto. Wer diese Seite betreibt, findet die Ursache im Protokoll.",
      ],
    },
    elsewhere: {
      title: "Es liegt auf einem anderen Server dieser Seite",
      text: () => ["Versuche es noch einmal: Der nächste Versuch erreicht vielleicht jenen."],
    },
    gone: { title: "Das ist nicht mehr da", text: () => ["Vielleicht wurde es schon gelöscht."] },
    unavailable: {
      title: "Das wird hier nicht angeboten",
      text: () => ["Wer diese Seite betreibt, hat es abgeschaltet."],
    },
  },

  categories: {
    dress: "Kleid",
    hat: "Hut",
    longsleeve: "Langarm\u00adshirt",
    outwear: "Jacke oder Mantel",
    pants: "Hose",
    shirt: "Hemd",
    shoes: "Schuhe",
    shorts: "Shorts",
    skirt: "Rock",
    "t-shirt": "T-Shirt",
  },
};
