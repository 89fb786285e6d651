// Signing in: by name and password, making an account, or with a token from elsewhere.

import { call, Problem } from "./api.js";
import { fillWith, freshId, h } from "./dom.js";
import { session } from "./session.js";
import { plain, t } from "./words.js";

const BY_PASSWORD = document.documentElement.dataset.signIn === "password";

function field(label, attributes, hint = null) {
  const id = freshId("field");
  const about = hint ? freshId("hint") : null;
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    h("input", { id, required: true, "aria-describedby": about, ...attributes }),
    hint ? h("p", { id: about, class: "hint" }, hint) : null,
  );
}

export function showSignIn({ root, notice, onDone }) {
  const show = (kind) => {
    const failed = h("p", { class: "problem", role: "alert", hidden: true });
    const button = h("button", { type: "submit", class: "main" }, t(kind === "register" ? "sign.register" : "sign.in"));
    const submit = async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(event.target));
      button.disabled = true;
      failed.hidden = true;
      try {
        await enter(kind, given);
        onDone();
      } catch (error) {
        session.token = null;
        failed.textContent = plain(error);
        failed.hidden = false;
        button.disabled = false;
      }
    };
    const other = (to, text) => h("button", { type: "button", class: "link", onclick: () => show(to) }, text);
    fillWith(
      root,
      h(
        "div",
        { class: "card narrow" },
        h("h1", { tabindex: "-1" }, t(kind === "register" ? "sign.register" : "sign.in")),
        h("p", { class: "lead" }, t("sign.lead")),
        notice ? h("p", { class: "notice" }, t(notice)) : null,
        h(
          "form",
          { onsubmit: submit, novalidate: false },
          kind === "token" ? field(t("sign.token"), { name: "token", type: "password", autocomplete: "off", spellcheck: "false" }, t("sign.token.hint")) : null,
          kind === "password" ? field(t("sign.name"), { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false" }) : null,
          kind === "register" ? field(t("sign.username"), { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false" }) : null,
          kind === "register" ? field(t("sign.email"), { name: "email", type: "email", autocomplete: "email" }) : null,
          kind === "token" ? null : field(t("sign.password"), { name: "password", type: "password", autocomplete: kind === "register" ? "new-password" : "current-password", minlength: kind === "register" ? 15 : null }, kind === "register" ? t("sign.password.hint") : null),
          failed,
          button,
        ),
        BY_PASSWORD
          ? h(
              "p",
              { class: "actions" },
              kind === "password" ? other("register", t("sign.new")) : other("password", t(kind === "register" ? "sign.have" : "sign.with.password")),
              kind === "token" ? null : other("token", t("sign.with.token")),
            )
          : null,
      ),
    );
    root.querySelector("input").focus();
  };
  show(BY_PASSWORD ? "password" : "token");
}

async function enter(kind, given) {
  session.token = null;
  if (kind === "token") {
    const token = given.token.trim().replace(/^Bearer\s+/i, "");
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Problem(401, { code: "AUTH_INVALID" });
    await call("/v1/usage?days=1", { headers: { Authorization: `Bearer ${token}` } });
    session.token = token;
    return;
  }
  if (kind === "register") await call("/v1/auth/register", { method: "POST", body: given });
  const form = { grant_type: "password", username: given.username, password: given.password };
  session.token = (await call("/v1/auth/token", { method: "POST", form })).access_token;
}
