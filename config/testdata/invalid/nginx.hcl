rtmp {
    server {
        listen 1935;
        chunk_size 4096;

        application show {
            live on;
            hls on;
            hls_path /nginx/live/;
            hls_fragment 3;
        }
    }
}
