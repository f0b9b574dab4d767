/** The element of index.html with an id, as the class that the page relies on. */
function find<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) {
    throw new Error(`#${id} is missing in index.html, or is no ${type.name}`);
  }
  return element;
}

/** The elements that change, looked up once; a page that lacks one fails at once and says which. */
export function findPageElements() {
  return {
    sheet: find("sheet", HTMLElement),
    photo: find("photo", HTMLElement),
    picture: find("picture", HTMLImageElement),
    caption: find("caption", HTMLElement),
    eyebrow: find("eyebrow", HTMLElement),
    heading: find("heading", HTMLElement),
    verdict: find("verdict", HTMLElement),
    words: find("words", HTMLElement),
    percent: find("percent", HTMLElement),
    lead: find("lead", HTMLElement),
    progress: find("progress", HTMLProgressElement),
    others: find("others", HTMLElement),
    othersTitle: find("others-title", HTMLElement),
    candidates: find("candidates", HTMLElement),
    actions: find("actions", HTMLElement),
    retry: find("retry", HTMLButtonElement),
    cancel: find("cancel", HTMLButtonElement),
    fine: find("fine", HTMLElement),
    chooser: find("chooser", HTMLFormElement),
    chooserTitle: find("chooser-title", HTMLElement),
    choose: find("choose", HTMLInputElement),
    camera: find("camera", HTMLInputElement),
    limits: find("limits", HTMLElement),
    link: find("link", HTMLInputElement),
    linkError: find("link-error", HTMLElement),
    announcer: find("announcer", HTMLElement),
  };
}

export type PageElements = ReturnType<typeof findPageElements>;
