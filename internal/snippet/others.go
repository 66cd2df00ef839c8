package snippet

const obs = `
OBS: Settings, Stream
  Service     Custom...
  Server      rtmp://{{.RTMP}}/{{.App}}
{{- if .Holder}}
  Stream Key  the secret of "{{.Holder}}": run
              rtmpd key show {{.Holder}}
{{- else}}
  Stream Key  the name of the stream, for example {{.Stream}}
{{- end}}
OBS: Settings, Output, Output Mode: Advanced
  Rate Control       CBR
  Keyframe Interval  2 s
{{- if .Watch}}
Viewers watch {{.Base}}{{.Watch}}
{{- end}}
`

const videojs = `
<!-- A page with video.js; get both files from https://github.com/videojs/video.js/releases and serve them yourself. -->
<link rel="stylesheet" href="/video.js/video-js.min.css">
<video id="live" class="video-js" controls muted autoplay playsinline width="960" height="540"></video>
<script src="/video.js/video.min.js"></script>
<script>
  videojs("live").src({ src: "{{.Base}}{{.Watch}}", type: "application/vnd.apple.mpegurl" });
</script>
`

const discourse = `
Discourse: Admin, Settings, "allowed iframes": add
  {{.Base}}{{.Player}}/embed/
Then a post that has this link on a line of its own shows the player:
  {{.Base}}{{.Player}}/{{.Stream}}.html
`

const ufw = `
{{range .Ports}}sudo ufw allow {{.}}
{{else}}# rtmpd listens on this machine only: there is nothing to open
{{end}}`
