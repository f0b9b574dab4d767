import type { CreatePanel } from "../panel.js";

export const createWhyPanel: CreatePanel = ({ root }) => ({
  show() {
    root.hidden = true;
  },
  clear() {
    root.hidden = true;
  },
  setWords() {},
});
