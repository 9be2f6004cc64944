// Sliders under a finger. A browser moves a slider as soon as it is touched, so that who scrolls over it
// changes it. Here a finger moves it by how far it goes sideways, from where it was; a swipe up or down
// scrolls, and a tap does nothing. A mouse and the keyboard use the browser's own slider.

const SLOP = 6; // pixels sideways from which a touch is a drag

/** Give a slider <input type="range"> these manners; it is wrapped in a <span>, which is returned. */
export function attachSlider(slider) {
  const track = document.createElement("span");
  track.className = "track";
  slider.replaceWith(track);
  track.append(slider);
  let from = null; // {x, value, dragged} of the touch under way

  const moved = (event) => {
    const { width } = slider.getBoundingClientRect();
    const span = Number(slider.max) - Number(slider.min);
    const value = from.value + ((event.clientX - from.x) / Math.max(width - slider.clientHeight, 1)) * span;
    if (String(clamped(value, slider)) === slider.value) return;
    slider.value = clamped(value, slider);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.target !== track || slider.disabled || !event.isPrimary || event.button !== 0) return;
    from = { x: event.clientX, value: Number(slider.value), dragged: event.pointerType === "mouse" };
    track.setPointerCapture(event.pointerId);
    if (!from.dragged) return;
    slider.focus();
    const box = slider.getBoundingClientRect();
    const part = (event.clientX - box.left - box.height / 2) / Math.max(box.width - box.height, 1);
    from.value = Number(slider.min) + part * (Number(slider.max) - Number(slider.min));
    moved(event);
  });
  track.addEventListener("pointermove", (event) => {
    if (from === null) return;
    if (!from.dragged && Math.abs(event.clientX - from.x) > SLOP) Object.assign(from, { dragged: true, x: event.clientX });
    if (from.dragged) moved(event);
  });
  const end = (event) => {
    if (from === null) return;
    const { dragged, value } = from;
    from = null;
    if (!dragged) return;
    if (event.type === "pointercancel") {
      slider.value = value;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    slider.dispatchEvent(new Event("change", { bubbles: true }));
  };
  track.addEventListener("pointerup", end);
  track.addEventListener("pointercancel", end);
  return track;
}

function clamped(value, slider) {
  const low = Number(slider.min);
  const step = Number(slider.step) || 1;
  return Math.min(Math.max(low + Math.round((value - low) / step) * step, low), Number(slider.max));
}
