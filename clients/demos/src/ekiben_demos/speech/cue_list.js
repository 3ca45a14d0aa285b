// In the list of cues: `element` is its component, `watch` tells when there are more.
const video = () => document.querySelector('#subtitled-player video');
const cues = () => [...element.querySelectorAll('.cues li')];

element.addEventListener('click', event => {
  const cue = event.target.closest('.cues button')?.closest('li');
  if (!cue || !video()) return;
  video().currentTime = Number(cue.dataset.start);
  video().play();
});

// Over mere sound browsers draw tracks below the controls, if at all: there the caption shows them.
function reveal() {
  for (const track of video().textTracks) track.mode = video().videoWidth ? 'showing' : 'hidden';
}

function show() {
  const player = video();
  const current = cue => cue.dataset.start <= player.currentTime && player.currentTime < cue.dataset.end;
  cues().forEach(cue => cue.classList.toggle('now', current(cue)));
  for (const line of player.nextElementSibling.children)
    line.textContent = player.videoWidth ? '' : cues().find(current)?.querySelector(`[lang=${line.lang}]`).textContent;
}

// Cues join the player's tracks as they come, so that it need not be loaded anew while it plays.
function join() {
  const player = video();
  if (!player) return;
  if (!player.textTracks.length) {
    for (const [language, label] of [['en', 'English'], ['pt', 'Português']])
      player.addTextTrack('subtitles', label, language).mode = 'hidden';
    player.addEventListener('timeupdate', show);
    player.addEventListener('loadedmetadata', reveal);
    reveal();
  }
  for (const track of player.textTracks)
    for (const cue of cues().slice(track.cues.length)) {
      const text = cue.querySelector(`[lang=${track.language}]`).textContent;
      track.addCue(new VTTCue(Number(cue.dataset.start), Number(cue.dataset.end), text));
    }
}
watch('value', join);
