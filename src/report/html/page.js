(function () {
  'use strict';

  function copied(button, done) {
    button.textContent = done ? 'Copied' : 'Selected';
    setTimeout(function () { button.textContent = 'Copy'; }, 1600);
  }

  document.querySelectorAll('button.copy').forEach(function (button) {
    var code = button.parentElement.querySelector('code');
    button.hidden = false;
    button.addEventListener('click', function () {
      function select() {
        var range = document.createRange();
        range.selectNodeContents(code);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        copied(button, false);
      }
      if (!navigator.clipboard) { select(); return; }
      navigator.clipboard.writeText(code.textContent).then(function () { copied(button, true); }, select);
    });
  });

  var folds = Array.prototype.slice.call(document.querySelectorAll('details'));
  var unfold = document.querySelector('.unfold button');
  if (unfold) {
    unfold.hidden = false;
    unfold.addEventListener('click', function () {
      var open = folds.some(function (fold) { return !fold.open; });
      folds.forEach(function (fold) { fold.open = open; });
      unfold.textContent = open ? 'Fold all' : 'Unfold all';
    });
  }

  // Browsers that do not open a fold for what lies in it get it opened here.
  function reveal() {
    var target = document.getElementById(location.hash.slice(1));
    var fold = target && target.closest('details');
    if (fold && !fold.open) { fold.open = true; target.scrollIntoView(); }
  }
  addEventListener('hashchange', reveal);
  reveal();

  var folded = [];
  addEventListener('beforeprint', function () {
    folded = folds.filter(function (fold) { return !fold.open; });
    folded.forEach(function (fold) { fold.open = true; });
  });
  addEventListener('afterprint', function () {
    folded.forEach(function (fold) { fold.open = false; });
  });
})();
