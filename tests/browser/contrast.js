// Texts in view whose colour is too close to what is behind them: ["text (ratio)", ...].
const channels = (colour) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return { r, g, b, a: a / 255 };
};
const known = new Map();
const parse = (colour) => {
  if (!known.has(colour)) known.set(colour, channels(colour));
  return known.get(colour);
};
const luminance = ({ r, g, b }) => {
  const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.a > 0.99) return colour;
  }
  return parse("white");
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || element.closest("script, style, svg, option, [hidden]")) continue;
  const box = element.getBoundingClientRect();
  if (!box.width || box.width < 2 || box.top > innerHeight || box.bottom < 0) continue;
  if (element.matches(":disabled")) continue;
  const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) found.push(`${node.textContent.trim().slice(0, 40)} (${ratio.toFixed(2)})`);
}
return found;
