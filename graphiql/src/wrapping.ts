/** Long lines on a phone, where nobody would scroll them sideways. */

import { useMonaco } from "@graphiql/react";
import { useEffect } from "react";

/** Wraps the lines of every editor, once there are any. */
export function Wrapping(): null {
  const monaco = useMonaco((state) => state.monaco);
  useEffect(() => {
    if (!matchMedia("(max-width: 640px)").matches) return;
    for (const editor of monaco?.editor.getEditors() ?? []) editor.updateOptions({ wordWrap: "on" });
  }, [monaco]);
  return null;
}
