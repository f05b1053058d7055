// Prices of an order: two sliders pick the row of the table and the cap. Money is whole nano-TATAU.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const STEPS = 200;
  const get = (id) => document.getElementById(id);

  // Exact, without zeros beyond two places, as the server writes it.
  const amount = (nano) => {
    const whole = BigInt(Math.round(nano));
    const digits = String(whole % 1000000000n).padStart(9, "0").replace(/0+$/, "").padEnd(2, "0");
    return `${whole / 1000000000n}.${digits}`;
  };
  const short = (nano) => amount(Math.ceil(nano / 100000) * 100000);
  const duration = (ms) => {
    const s = Math.ceil(ms / 1000);
    return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : s < 86400 ? `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min` : `${Math.floor(s / 86400)} days ${Math.floor(s / 3600) % 24} h`;
  };

  const rows = () => [...document.querySelectorAll("#quote input[name=row]")].map((input) => ({
    input, price: Number(input.dataset.price), cap: Number(input.dataset.cap), time: Number(input.dataset.time),
  }));
  const scale = (all, low, high) => {
    const from = Math.min(...all.map(low));
    const to = Math.max(...all.map(high));
    return { at: (step) => (step >= STEPS ? to : from + ((to - from) * step) / STEPS), step: (value) => (to === from ? STEPS : Math.ceil(((value - from) / (to - from)) * STEPS)), flat: to === from };
  };

  let budget = null;

  const settle = () => {
    const form = get("order");
    const pay = get("pay");
    if (!form || !pay) return;
    const cap = budget ?? 0;
    const balance = Number(get("short").dataset.balance);
    const enough = balance >= cap;
    get("short").hidden = enough;
    if (!enough) get("short-out").textContent = amount(cap - balance);
    const checked = get("checked")?.dataset.checked === "true";
    const free = pay.dataset.free === "true";
    pay.disabled = !checked || (!free && (!enough || cap <= 0));
    pay.textContent = !checked ? "Being checked…" : free ? "Render" : "Pay and render";
  };

  // One row and one cap are chosen: everything shows them.
  const show = (row, cap) => {
    const all = rows();
    row.input.checked = true;
    budget = Math.max(1, Math.round(cap));
    get("cap").value = amount(budget);
    get("cap-out").textContent = amount(budget);
    get("price-out").textContent = short(row.price);
    get("budget-out").textContent = `${short(budget)} TATAU`;
    get("deadline-out").textContent = duration(row.time);
    const money = scale(all, (r) => r.price, (r) => r.cap);
    const time = scale(all, (r) => r.time, (r) => r.time);
    get("budget").value = money.step(budget);
    get("deadline").value = time.step(row.time);
    get("deadline").disabled = time.flat;
    settle();
  };

  const wire = () => {
    const all = rows();
    if (!all.length) { settle(); return; }
    if (get("pay").dataset.free === "true") { settle(); return; }
    get("sliders").hidden = false;
    const money = scale(all, (r) => r.price, (r) => r.cap);
    const time = scale(all, (r) => r.time, (r) => r.time);
    // The fastest that the budget pays; it may cost no more than its own cap.
    get("budget").addEventListener("input", (event) => {
      const most = money.at(Number(event.target.value));
      const fitting = all.filter((row) => row.price <= most).sort((a, b) => a.time - b.time || a.price - b.price);
      if (fitting.length) show(fitting[0], Math.min(most, fitting[0].cap));
    });
    // The cheapest that is ready in time.
    get("deadline").addEventListener("input", (event) => {
      const latest = time.at(Number(event.target.value));
      const fitting = all.filter((row) => row.time <= latest).sort((a, b) => a.price - b.price || a.time - b.time);
      if (fitting.length) show(fitting[0], fitting[0].cap);
    });
    for (const row of all) row.input.addEventListener("change", () => show(row, row.cap));
    const picked = all.find((row) => row.input.checked) || all[0];
    const given = Number(get("cap").value) * 1e9;
    show(picked, given > 0 ? given : picked.cap);
  };

  wire();
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.elt.id === "quote" || event.detail.target.id === "quote") wire(); });
  document.addEventListener("live", settle);
});
