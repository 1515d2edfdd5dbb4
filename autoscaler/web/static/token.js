// The daemon's token: asked for in a dialog when it is needed, kept in this tab's session storage and nowhere else.
const KEY = "autoscaler-token";

export const forget = () => sessionStorage.removeItem(KEY);

// The token, or null where the operator cancels.
export function ask() {
  const kept = sessionStorage.getItem(KEY);
  if (kept) return Promise.resolve(kept);
  const dialog = document.getElementById("token-dialog"), form = dialog.querySelector("form"), field = form.elements.token;
  return new Promise((resolve) => {
    let given = null;
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!field.value.trim()) {
        field.focus();
        return;
      }
      given = field.value.trim();
      sessionStorage.setItem(KEY, given);
      dialog.close();
    };
    dialog.onclose = () => {
      field.value = "";
      resolve(given);
    };
    dialog.showModal();
    field.focus();
  });
}
