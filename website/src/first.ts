/** What runs before the first paint; the build puts it into the page. */
import { awaitWords } from "./words/await-words.js";

awaitWords();
