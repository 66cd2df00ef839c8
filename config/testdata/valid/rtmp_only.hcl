rtmp {
  application "live" {
  }
}
