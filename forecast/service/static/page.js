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
  listen();
  // A refusal is shown where the answer would stand.
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("x-forecast-part")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });
})();
