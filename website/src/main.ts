/** Builds the page of its parts. */
import { createGatewayClient } from "./gateway/client.js";
import { openItemStore } from "./keep/item-store.js";
import { createVisits } from "./keep/visits.js";
import { createPage } from "./page.js";
import { find } from "./render/find.js";
import { createSiteKey } from "./render/key-form.js";
import { createSpeaker, sayIn } from "./say.js";
import { UploadPreparation } from "./upload/prepare.js";
import { createShrinker } from "./upload/shrinker.js";
import { isLanguage, keepLanguage, wantedLanguage } from "./words/choice.js";

const siteKey = createSiteKey();
const page = createPage({
  gateway: createGatewayClient(siteKey.current),
  preparation: new UploadPreparation(createShrinker()),
  siteKey,
  store: openItemStore(),
  visits: createVisits(),
  // English is part of the page: without the other words it is the page's own language.
  say: await sayIn(wantedLanguage()).catch(() => sayIn("en")),
});

const speakIn = createSpeaker({
  sayIn,
  speak(say) {
    keepLanguage(say.language);
    // The gateway then sends the next page in this language, from its first byte.
    const address = new URL(location.href);
    address.searchParams.set("lang", say.language);
    history.replaceState(history.state, "", address);
    page.speak(say);
  },
  onMissing: page.missWords,
});
const menu = find("language", HTMLSelectElement);
menu.addEventListener("change", () => {
  if (isLanguage(menu.value)) void speakIn(menu.value);
});

await page.start();
