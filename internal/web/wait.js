// Asks for the same address again until there is a place. Then it goes on to the page of the
// stream; without one it plays the address here, if this browser can: one that is sent to a
// playlist saves it as a file.
(function () {
  'use strict';
  var again = Number(document.body.dataset.again) || 5;
  var page = document.body.dataset.page;
  var main = document.querySelector('main');
  var state = document.getElementById('state');

  function ask() {
    fetch(location.href, { cache: 'no-store', credentials: 'same-origin', headers: { Accept: '*/*' } }).then(function (answer) {
      if (!answer.ok) {
        later(Number(answer.headers.get('Retry-After')) || again);
        return;
      }
      if (answer.body) answer.body.cancel(); // it may be as long as the stream
      state.textContent = 'There is a place.';
      begin(answer.headers.get('Content-Type') || '');
    }, function () { later(again); });
  }

  // A proxy may have the playlist and not the page.
  function begin(type) {
    if (!page) {
      play(type);
      return;
    }
    var there = page + location.search.replace('?', '&');
    fetch(there, { method: 'HEAD', credentials: 'same-origin' }).then(function (answer) {
      if (answer.ok) location.replace(there);
      else play(type);
    }, function () { play(type); });
  }

  // A little apart from the others, who wait as well.
  function later(seconds) {
    state.textContent = 'Trying again in ' + seconds + ' s.';
    setTimeout(ask, (seconds + Math.random()) * 1000);
  }

  function play(type) {
    var video = document.createElement('video');
    document.title = 'There is a place';
    if (!video.canPlayType(type)) {
      link();
      return;
    }
    video.controls = video.autoplay = true;
    video.onerror = function () {
      video.replaceWith(main);
      link();
    };
    video.src = location.href;
    main.replaceWith(video);
  }

  function link() {
    var a = document.createElement('a');
    main.querySelector('h1').textContent = 'There is a place';
    main.querySelector('p').textContent = 'This browser can\u2019t play it by itself. Open its address in a player such as VLC:';
    a.href = a.textContent = location.href;
    state.replaceChildren(a);
  }

  later(again);
}());
