rtmp {
  listen = ":1935";
}
