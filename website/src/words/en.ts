/** What the page says in English. The other languages have the same entries: `Words` is the type of this object. */

const plural = new Intl.PluralRules("en");

function photos(count: number): string {
  return plural.select(count) === "one" ? `${count} photo` : `${count} photos`;
}

/** What the words of a fault may speak of; a member is undefined when it is not known. */
export interface FaultFacts {
  /** Of the photo, with its unit. */
  readonly size: string | undefined;
  /** The limit of one photo, with its unit. */
  readonly mostSize: string | undefined;
  readonly mostMegapixels: string | undefined;
  readonly mostPhotos: string | undefined;
  /** Kinds of picture that are read, as a list in words. */
  readonly kinds: string;
  /** Website of the link. */
  readonly host: string | undefined;
}

/** Labels of the shipped model as people say them; a label that is not here is shown as it is. */
const categories: Readonly<Record<string, string>> = {
  dress: "dress",
  hat: "hat",
  longsleeve: "long sleeve",
  outwear: "outerwear",
  pants: "pants",
  shirt: "shirt",
  shoes: "shoes",
  shorts: "shorts",
  skirt: "skirt",
  "t-shirt": "T-shirt",
};

export const en = {
  api: "API",
  language: "Language",
  documentTitle: (what: string) => `${what} – Vitrine`,
  question: (what: string) => `${what}?`,
  over: (number: string) => `over ${number}`,
  under: (number: string) => `under ${number}`,
  about: (amount: string) => `about ${amount}`,
  closeNotice: "Close this message",
  footer:
    "A photo is sent to this server to be read and is not kept there, unless you agree to that when you correct a category. Drafts stay in this browser, for up to seven days.",

  start: {
    heading: "What are you listing?",
    lead: "Show one or more photos of the item and read the category it belongs in.",
    drop: "Drop photos, or choose some",
    knows: (categories: string) => `Knows ${categories}.`,
    knowsCount: (count: string) => `Knows ${count} categories.`,
    samples: "Nothing at hand? Try a drawing",
    sampleNames: { dress: "Dress", hat: "Hat", shoes: "Shoes", trousers: "Trousers" },
    drafts: "Your drafts in this browser",
  },

  ways: {
    title: "Your photos",
    titleAnother: "Another item",
    choose: "Choose photos",
    camera: "Take a photo",
    limits: (kinds: string, size: string, count: number) =>
      count > 1
        ? `${kinds}, up to ${size} each. Up to ${photos(count)} of one item.`
        : `${kinds}, up to ${size}.`,
    kindsUnknown: "JPEG, PNG, WebP or GIF.",
    link: "Or a link to a photo",
    read: "Read it",
    hint: "You can also drop or paste photos or a link anywhere on this page.",
    noLink: "This is not a link. A link begins with https:// or http://",
    emptyLink: "Type or paste a link first.",
    nothingPasted: "There is no picture and no link on the clipboard.",
    nothingDropped: "What you dropped holds no picture and no link.",
    leftOut: (count: number) =>
      count === 1
        ? "1 file is no picture and was left out."
        : `${count} files are no pictures and were left out.`,
    leftOutLinks: (count: number) =>
      count === 1
        ? "1 link beside the files was left out. Give it on its own."
        : `${count} links beside the files were left out. Give them on their own.`,
    leftOutAddresses: (count: number) =>
      count === 1
        ? "1 address is no link to a website and was left out."
        : `${count} addresses are no links to a website and were left out.`,
    onlySome: (used: number, given: number) =>
      `One item takes ${photos(used)} at most; the first ${used} of ${given} were taken.`,
  },

  where: {
    title: (count: number): string =>
      count === 1 ? "Where does this photo belong?" : "Where do these photos belong?",
    titleLink: "Where does this link belong?",
    add: "Add to this item",
    another: "Start another item",
    cancel: "Leave it",
    dropAdd: "Drop here: one more photo of this item",
    dropAnother: "Drop here: another item",
  },

  photos: {
    strip: "Photos of this item",
    yours: "Your photo",
    yoursOf: (category: string) => `Your photo: ${category}`,
    number: (number: string) => `Photo ${number}`,
    removeAndRead: (others: number): string =>
      others === 1 ? "Remove it and read the other one" : "Remove it and read the others",
    show: (number: string) => `Show photo ${number}`,
    remove: (number: string) => `Remove photo ${number}`,
    add: "Add a photo of this item",
    said: (category: string, percent: string) => `${category}, ${percent}`,
    added: (count: number) => (count === 1 ? "Added to this item." : `${photos(count)} added to this item.`),
    removed: "Removed from this item.",
    from: (host: string) => `A photo from ${host}`,
    loadingFrom: (host: string) => `Fetching the photo from ${host}`,
    cannotShow: (name: string) => `${name} cannot be shown here`,
    thisFile: "This file",
  },

  reading: {
    preparing: "Making the photo ready",
    sending: "Sending the photo",
    sendingSeveral: "Sending the photos",
    reading: "Reading the photo",
    readingSeveral: "Reading the photos",
    from: (host: string) => `Fetching it from ${host}.`,
    slow: "This is slower than usual. You can wait or cancel.",
    again: "It was left before its answer came, so it is read again.",
    slowAnnounced: "Still reading. This is slower than usual.",
    documentTitle: "Reading…",
    cancel: "Cancel",
    retry: "Try again",
  },

  answer: {
    category: "Category",
    yourChoice: "Your choice",
    notSure: "Not sure",
    which: "This photo fits more than one category. Which of these is it?",
    whichSeveral: "These photos fit more than one category. Which of these is it?",
    couldBe: "It could be",
    couldBeAnnounced: (choices: string) => `Not sure. It could be ${choices}.`,
    ifNot: "If not, perhaps",
    chosenInstead: (category: string, percent: string) => `The model said ${category}, ${percent}.`,
    chosenAnnounced: (category: string) => `The category is now ${category}.`,
    undo: "Undo",
    none: "None of these",
    other: "Another category",
    search: "Search all categories",
    found: (count: number) => (count === 1 ? "1 category found." : `${count} categories found.`),
    noneFound: "No category has this in its name.",
    moreFound: (count: number) => `${count} more; type on to see them.`,
    fromSeveral: (count: number) => `From ${photos(count)}.`,
    onlyThese: (count: number) =>
      `The model knows only ${count} categories, and names one of them for any picture.`,
    facts: (model: string, version: string, duration: string) => `${model}, version ${version}, ${duration}`,
  },

  certainty: { certain: "Almost certain", very: "Very likely", likely: "Likely", possible: "Possible" },

  draft: {
    title: "Listing draft",
    note: "Nothing is published. The draft is kept in this browser only.",
    notKept: "Nothing is published. This browser cannot keep the draft: it is gone when the page is closed.",
    yourWords: "Your words",
    yourWordsHint: "Brand, colour, size",
    listingTitle: "Title",
    category: "Category",
    suggestion: (words: string, category: string) => (words === "" ? category : `${words} – ${category}`),
    useSuggestion: "Use the suggested title",
    copy: "Copy the draft",
    copied: "The draft is on the clipboard.",
    discard: "Discard this item",
    discarded: "The item is gone from this browser.",
    asText: (title: string, category: string) => `${title}\nCategory: ${category}`,
  },

  copy: {
    title: "For programs",
    json: "Copy the answer as JSON",
    curl: "Copy as a curl command",
    copied: "Copied.",
    byHand: "This browser does not let the page copy. Copy it from here:",
  },

  key: {
    label: "Key of this site",
    hint: "Ask whoever runs this site. The key is kept until you close this tab, and goes to this server only.",
    use: "Use this key",
    empty: "Type or paste the key first.",
  },

  panels: { why: "Why?", how: "Show me how" },

  faults: {
    tryIn: (wait: string) => `Try again in ${wait}.`,
    tryNow: "You can try again now.",
    request: (id: string) => `Request ${id}`,
    tooLarge: {
      title: "This photo is too large",
      text: ({ size, mostSize }: FaultFacts) => [
        size === undefined ? "" : `It has ${size}.`,
        mostSize === undefined ? "" : `Photos of up to ${mostSize} can be read.`,
        "Give a smaller version of it, or a screenshot.",
      ],
    },
    tooManyPixels: {
      title: "This photo has too many pixels",
      text: ({ mostMegapixels }: FaultFacts) => [
        "Give a smaller version of it, or a screenshot.",
        mostMegapixels === undefined ? "" : `At most ${mostMegapixels} megapixels can be read.`,
      ],
    },
    unsupported: {
      title: "This kind of file cannot be read",
      text: ({ kinds }: FaultFacts) => [`Photos can be ${kinds}.`],
    },
    heic: {
      title: "HEIC photos cannot be read here",
      text: () => [
        "iPhones store photos like this, and this browser cannot open them.",
        "Export the photo as a JPEG and give that, or give a screenshot of it.",
        "New photos are JPEGs with Settings, Camera, Formats, Most Compatible.",
      ],
    },
    undecodable: {
      title: "This picture is damaged",
      text: () => ["The file is incomplete or broken. Save it again, or choose another photo."],
    },
    changed: {
      title: "This file cannot be read any more",
      text: () => ["It was changed, moved or deleted since you chose it. Choose it again, as it is now."],
    },
    empty: {
      title: "This file is empty",
      text: () => [
        "A photo that lies only in a cloud arrives like this. Download it to this device first, or choose another.",
      ],
    },
    tooMany: {
      title: "These are too many photos",
      text: ({ mostPhotos }: FaultFacts) => [
        mostPhotos === undefined
          ? "Remove some of them."
          : `One item takes ${mostPhotos} at most. Remove some of them.`,
      ],
    },
    linkInvalid: {
      title: "This link cannot be used",
      text: () => ["A link to a photo begins with https:// or http:// and has no password in it."],
    },
    linkForbidden: {
      title: "This link cannot be opened from here",
      text: () => [
        "This website does not exist or is not public. Check the spelling, or save the picture and choose it.",
      ],
    },
    linkFailed: {
      title: "The link gave no picture",
      text: ({ host = "The website" }: FaultFacts) => [
        `${host} did not hand it over. Check the link, or save the picture and choose it as a file.`,
      ],
    },
    linkSlow: {
      title: "The link is too slow",
      text: ({ host = "The website" }: FaultFacts) => [
        `${host} took too long to hand the picture over. Try again, or save the picture and choose it as a file.`,
      ],
    },
    key: {
      title: "This site asks for a key",
      text: () => ["Photos are read here only for those who have one. Your photo is kept here."],
    },
    keyWrong: {
      title: "This key is not known here",
      text: () => ["Check it for missing letters, or ask whoever runs this site."],
    },
    clientLimit: {
      title: "That was many photos in a short time",
      text: () => ["Your photo is kept here."],
    },
    busy: { title: "Many photos are being read", text: () => ["Your photo is kept here."] },
    starting: { title: "The reader is starting again", text: () => ["Your photo is kept here."] },
    late: { title: "This took too long", text: () => ["No answer came in time. Your photo is kept here."] },
    stopped: { title: "Stopped", text: () => ["Your photo is kept here."] },
    internal: {
      title: "Something went wrong on this site",
      text: () => ["It is not your photo, and it is kept here. Try again in a moment."],
    },
    offline: {
      title: "You are offline",
      text: () => ["Your photo is kept here and is read as soon as there is a connection."],
    },
    unreachable: {
      title: "The server cannot be reached",
      text: () => ["The connection failed or broke off. Your photo is kept here."],
    },
    stalled: {
      title: "The connection is too slow",
      text: () => ["For a while nothing got through. Your photo is kept here."],
    },
    misunderstood: {
      title: "This page is out of step with its server",
      text: () => [
        "Reload the page and give the photo again. If that changes nothing, tell whoever runs this site.",
      ],
    },
    misconfigured: {
      title: "This site is not set up correctly",
      text: () => ["It is not your photo. Whoever runs this site finds the cause in its log."],
    },
    elsewhere: {
      title: "It is kept on another server of this site",
      text: () => ["Try again: the next try may reach that one."],
    },
    gone: { title: "This is no longer there", text: () => ["It may have been removed before."] },
    unavailable: {
      title: "This is not offered here",
      text: () => ["Whoever runs this site has switched it off."],
    },
  },

  categories,
};

export type Words = typeof en;
