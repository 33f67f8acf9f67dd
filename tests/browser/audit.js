// What a person with poor sight, a screen reader or a small screen would trip over, measured on the painted page.
// Evaluates to {contrast, names, overflow, targets}: lists of faults in words, empty on a good page.
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = "#000";
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => {
    const a = top[3] + under[3] * (1 - top[3]);
    const mixed = (i) => (top[i] * top[3] + under[i] * under[3] * (1 - top[3])) / a;
    return a ? [mixed(0), mixed(1), mixed(2), a] : [0, 0, 0, 0];
  };
  const ground = (element) => {
    let colour = [0, 0, 0, 0];
    for (let one = element; one && colour[3] < 0.999; one = one.parentElement) {
      colour = over(colour, rgba(getComputedStyle(one).backgroundColor));
    }
    return over(colour, rgba("Canvas"));
  };
  const light = (colour) => {
    const linear = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2]);
  };
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const say = (element) => `<${element.localName} class="${element.getAttribute("class") ?? ""}">`;
  const contrast = new Set();

  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const text = walk.currentNode.data.trim();
    if (!text || element.closest("noscript, .unseen, [hidden], [disabled], symbol")) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    let opacity = 1;
    for (let one = element; one; one = one.parentElement) opacity *= Number(getComputedStyle(one).opacity);
    const [r, g, b, a] = rgba(element instanceof SVGElement ? style.fill : style.color);
    const under = ground(element);
    const found = ratio(over([r, g, b, a * opacity], under), under);
    if (found < 4.5) contrast.add(`text ${found.toFixed(2)}: ${say(element)} ${text.slice(0, 40)}`);
  }

  const drawn = "main rect:not(.cursor, .band, .c-rest), main circle, .switch, input:not([type=checkbox]), select, textarea, .find";
  for (const element of document.querySelectorAll(drawn)) {
    if (!element.checkVisibility() || element.matches(".find input")) continue;
    const style = getComputedStyle(element);
    const isShape = element instanceof SVGElement;
    const paint = isShape ? style.fill : element.matches(".switch") ? style.backgroundColor : style.borderTopColor;
    if (!paint || paint === "none" || paint.startsWith("url")) continue;
    const under = ground(isShape ? element.closest("svg").parentElement : element.parentElement);
    const found = ratio(over(rgba(paint), under), under);
    if (found < 3) contrast.add(`mark ${found.toFixed(2)}: ${say(element)}`);
  }

  const nameOf = (one) =>
    one.getAttribute("aria-label") || one.title || one.textContent.trim() || one.labels?.[0]?.textContent.trim();
  const named = [...document.querySelectorAll("a, button, input, select, textarea, [role=img], [role=switch]")];
  const names = named.filter((one) => one.checkVisibility() && !nameOf(one)).map((one) => `no name: ${say(one)}`);

  const wide = document.documentElement.clientWidth;
  const overflow = [];
  const whole = document.documentElement.scrollWidth;
  if (whole > wide + 1) overflow.push(`the page is ${whole} wide on ${wide}`);
  for (const one of document.querySelectorAll("main *, .top *, #banners *")) {
    const box = one.getBoundingClientRect();
    const scrolls = one.closest(".scroll, .states, .json, pre, .unseen, .cut");
    if (box.width && box.right > wide + 1 && !scrolls) overflow.push(`out by ${Math.round(box.right - wide)}: ${say(one)}`);
  }

  const small = (one) => {
    const box = one.getBoundingClientRect();
    return Math.min(box.width, box.height) < 24;
  };
  const pressed = wide < 500 ? [...document.querySelectorAll("a.button, button, .side a, input[type=checkbox]")] : [];
  const targets = pressed.filter((one) => one.checkVisibility() && !one.closest("td") && small(one)).map(say);
  return { contrast: [...contrast], names, overflow: overflow.slice(0, 8), targets };
})();
