// Everything on the page that depends on the ledger is asked for again when it has changed.
"use strict";
(() => {
  let state = null;
  const listen = () => {
    const source = new EventSource("/api/v1/events");
    source.addEventListener("news", (event) => {
      const now = JSON.parse(event.data).state;
      if (state !== null && now !== state) htmx.trigger(document.body, "news");
      state = now;
    });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    };
  };
  if (document.getElementById("now-part")) listen();
  // A refusal in words is shown where the answer would stand, any other at the foot of the page.
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("x-forecast-part")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    let said = "the service did not answer as it should; load the page again";
    try { said = JSON.parse(event.detail.xhr.responseText).detail || said; } catch { /* no JSON */ }
    const told = document.getElementById("told") || document.body.appendChild(document.createElement("div"));
    told.id = "told";
    told.className = "note fault";
    told.setAttribute("role", "alert");
    told.textContent = `Not done: ${said}`;
  });
})();
