// Package rtmp is the RTMP wire: handshake, chunks, messages, commands and
// dialling. It has no policy and knows no codec.
//
// It follows Adobe's RTMP 1.0, and the Enhanced RTMP v2 properties of connect;
// where clients in the field differ from the specification it takes what they
// send. The layers, from the socket up:
//
//	handshake    C0 C1 C2, S0 S1 S2, plain or with digests
//	chunkReader  bytes → Message, each body one allocation
//	Conn         protocol control, pings and acknowledgements; everything else
//	             comes out of ReadMessage
//	Command      the AMF in command messages
//	Client       Dial, Publish, Play
//
// A Conn starts as a stranger's: until Authorise it holds less than 64 KiB,
// whatever the peer claims or sends.
package rtmp
