// Shows the filters, which want a script, and hides what does not hold their text.
for (const input of document.querySelectorAll('[data-filter]')) {
  input.closest('.filter').hidden = false;
  const all = [...document.querySelectorAll(input.dataset.filter)].map((element) => [
    element,
    element.textContent.toLowerCase(),
  ]);
  const folds = new Set(all.map(([element]) => element.closest('.causes')).filter(Boolean));
  input.addEventListener('input', () => {
    const wanted = input.value.trim().toLowerCase();
    for (const [element, text] of all) element.hidden = !text.includes(wanted);
    for (const fold of folds) {
      fold.hidden = !fold.querySelector('.finding:not([hidden])');
      fold.open = wanted !== '';
    }
  });
}
