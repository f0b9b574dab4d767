import { flagOf, type Settings } from "@vitrine/runtime/settings";

/** `--model_base_path=a_b` is `--model-base-path=a_b`; a flag that no setting has stays as it was written. */
export function spellWithDashes(settings: Settings, argument: string): string {
  const [flag = ""] = argument.split("=", 1);
  const spelled = flag.replaceAll("_", "-");
  const isKnown = Object.keys(settings).some((key) => `--${flagOf(key)}` === spelled);
  return isKnown ? spelled + argument.slice(flag.length) : argument;
}
