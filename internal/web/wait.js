// Asks for the same address again until there is a place, then opens it.
(function () {
  'use strict';
  var again = Number(document.body.dataset.again) || 5;
  var state = document.getElementById('state');

  function ask() {
    fetch(location.href, { cache: 'no-store', credentials: 'same-origin', headers: { Accept: '*/*' } }).then(function (answer) {
      if (answer.ok) {
        state.textContent = 'There is a place.';
        location.reload();
        return;
      }
      later(Number(answer.headers.get('Retry-After')) || again);
    }, function () { later(again); });
  }

  // A little apart from the others, who wait as well.
  function later(seconds) {
    state.textContent = 'Trying again in ' + seconds + ' s.';
    setTimeout(ask, (seconds + Math.random()) * 1000);
  }

  later(again);
}());
