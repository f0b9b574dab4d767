import type { CreatePanel } from "../panel.js";

export const createFeedbackPanel: CreatePanel = ({ root }) => ({
  show() {
    root.hidden = true;
  },
  clear() {
    root.hidden = true;
  },
  setWords() {},
});
