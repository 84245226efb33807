//! Descriptions as real clients write them; what only varies from call to call is made up.

/// Chromium 126, audio only, non-trickle.
pub(crate) const CHROMIUM: &str = "v=0\r\n\
o=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0\r\n\
a=extmap-allow-mixed\r\n\
a=msid-semantic: WMS 5c8f4b0e-1d7e-4f7e-a0c6-111111111111\r\n\
m=audio 46154 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n\
c=IN IP4 192.0.2.10\r\n\
a=rtcp:9 IN IP4 0.0.0.0\r\n\
a=candidate:842163049 1 udp 2122260223 192.0.2.10 46154 typ host generation 0 network-id 1\r\n\
a=candidate:1467250027 1 tcp 1518280447 192.0.2.10 9 typ host tcptype active generation 0 network-id 1\r\n\
a=ice-ufrag:abcd\r\n\
a=ice-pwd:0123456789abcdefghijklmn\r\n\
a=ice-options:trickle\r\n\
a=fingerprint:sha-256 1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00:1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00\r\n\
a=setup:actpass\r\n\
a=mid:0\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
a=sendrecv\r\n\
a=msid:5c8f4b0e-1d7e-4f7e-a0c6-111111111111 2d2b3c5a-9a9f-4a40-8f0a-222222222222\r\n\
a=rtcp-mux\r\n\
a=rtcp-rsize\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=rtcp-fb:111 transport-cc\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=rtpmap:63 red/48000/2\r\n\
a=fmtp:63 111/111\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:13 CN/8000\r\n\
a=rtpmap:110 telephone-event/48000\r\n\
a=rtpmap:126 telephone-event/8000\r\n\
a=ssrc:2231627014 cname:4TOk42mSjXCkVIa6\r\n\
a=ssrc:2231627014 msid:5c8f4b0e-1d7e-4f7e-a0c6-111111111111 2d2b3c5a-9a9f-4a40-8f0a-222222222222\r\n";

/// What Chromium puts behind [`CHROMIUM`] when it also has video (its group is then `BUNDLE 0 1`).
pub(crate) const CHROMIUM_VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
c=IN IP4 0.0.0.0\r\n\
a=rtcp:9 IN IP4 0.0.0.0\r\n\
a=ice-ufrag:abcd\r\n\
a=ice-pwd:0123456789abcdefghijklmn\r\n\
a=setup:actpass\r\n\
a=mid:1\r\n\
a=sendrecv\r\n\
a=rtcp-mux\r\n\
a=rtpmap:96 VP8/90000\r\n\
a=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\n";

/// Firefox 115: ICE, fingerprint and direction at session level.
pub(crate) const FIREFOX: &str = "v=0\r\n\
o=mozilla...THIS_IS_SDPARTA-99.0 6789431827362819 0 IN IP4 0.0.0.0\r\n\
s=-\r\n\
t=0 0\r\n\
a=sendrecv\r\n\
a=fingerprint:sha-256 1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00:1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:01\r\n\
a=group:BUNDLE 0\r\n\
a=ice-options:trickle\r\n\
a=msid-semantic:WMS *\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\n\
c=IN IP4 0.0.0.0\r\n\
a=candidate:0 1 UDP 2122252543 6f1b7a40-0000-4000-8000-333333333333.local 50000 typ host\r\n\
a=sendrecv\r\n\
a=end-of-candidates\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n\
a=fmtp:101 0-15\r\n\
a=ice-pwd:00112233445566778899aabbccddeeff\r\n\
a=ice-ufrag:1a2b3c4d\r\n\
a=mid:0\r\n\
a=msid:{1b7a} {2c8b}\r\n\
a=rtcp-mux\r\n\
a=rtpmap:109 opus/48000/2\r\n\
a=rtpmap:9 G722/8000/1\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:101 telephone-event/8000/1\r\n\
a=setup:actpass\r\n\
a=ssrc:1234567890 cname:{3d9c}\r\n";

/// baresip 1.0, plain RTP.
pub(crate) const BARESIP: &str = "v=0\r\n\
o=- 1912316394 2145912346 IN IP4 192.0.2.20\r\n\
s=-\r\n\
c=IN IP4 192.0.2.20\r\n\
t=0 0\r\n\
a=tool:baresip 1.0.0\r\n\
m=audio 10018 RTP/AVP 96 0 8 101\r\n\
b=AS:125\r\n\
a=rtpmap:96 opus/48000/2\r\n\
a=fmtp:96 stereo=1;sprop-stereo=1\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\n\
a=rtcp:10019\r\n\
a=sendrecv\r\n\
a=label:1\r\n\
a=rtcp-rsize\r\n\
a=ssrc:1027468353 cname:sip:alice@192.0.2.20\r\n\
a=ptime:20\r\n";

/// What baresip 1.0 adds with `mediaenc=srtp` (then on RTP/AVP) and `srtp-mand` (RTP/SAVP).
pub(crate) const BARESIP_CRYPTO: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:Lk7ZGD/yO5pZUi6kBgEb8sGWDiVgwcLkQ9VbXbg2\r\n\
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:b8xWkZFtyRQUpTvbrpMz6DcHTGfrPzhNcYuKvK3i\r\n";

/// baresip 1.0 with `mediaenc=dtls_srtp`, as it answers: `a=setup:active`.
pub(crate) const BARESIP_DTLS: &str = "v=0\r\n\
o=- 1912316394 2145912346 IN IP4 192.0.2.20\r\n\
s=-\r\n\
c=IN IP4 192.0.2.20\r\n\
t=0 0\r\n\
m=audio 10020 UDP/TLS/RTP/SAVP 0 101\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\n\
a=rtcp:10021\r\n\
a=sendrecv\r\n\
a=fingerprint:SHA-256 1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00:1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:02\r\n\
a=setup:active\r\n";

/// SIPp's built-in caller.
pub(crate) const SIPP: &str = "v=0\r\n\
o=user1 53655765 2353687637 IN IP4 192.0.2.30\r\n\
s=-\r\n\
c=IN IP4 192.0.2.30\r\n\
t=0 0\r\n\
m=audio 6000 RTP/AVP 0\r\n\
a=rtpmap:0 PCMU/8000\r\n";

/// A telephone on IPv6.
pub(crate) const IPV6: &str = "v=0\r\n\
o=- 1 1 IN IP6 2001:db8::20\r\n\
s=-\r\n\
c=IN IP6 2001:db8::20\r\n\
t=0 0\r\n\
m=audio 7078 RTP/AVP 8 101\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=ptime:30\r\n";

/// A telephone with the codecs of low rates.
pub(crate) const LOW_RATES: &str = "v=0\r\n\
o=- 3 3 IN IP4 192.0.2.40\r\n\
s=-\r\n\
c=IN IP4 192.0.2.40\r\n\
t=0 0\r\n\
m=audio 7078 RTP/AVP 18 112 113 114 13 101 103\r\n\
a=fmtp:18 annexb=yes\r\n\
a=rtpmap:112 speex/16000\r\n\
a=fmtp:112 vbr=on;mode=\"6,any\"\r\n\
a=rtpmap:113 SPEEX/8000\r\n\
a=rtpmap:114 speex/32000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=rtpmap:103 telephone-event/16000\r\n\
a=ptime:30\r\n\
a=maxptime:60\r\n";

/// A camera as Chromium 156 puts it behind [`CHROMIUM`] (its group is then `BUNDLE 0 1`), without the extensions and the
/// codecs that are nothing to us except one of each.
pub(crate) const CHROMIUM_CAMERA: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 107 108 109 114 115 45 46 118\r\n\
c=IN IP4 0.0.0.0\r\n\
a=rtcp:9 IN IP4 0.0.0.0\r\n\
a=ice-ufrag:abcd\r\n\
a=ice-pwd:0123456789abcdefghijklmn\r\n\
a=ice-options:trickle\r\n\
a=fingerprint:sha-256 1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00:1F:2E:3D:4C:5B:6A:79:88:97:A6:B5:C4:D3:E2:F1:00\r\n\
a=setup:actpass\r\n\
a=mid:1\r\n\
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\n\
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
a=sendrecv\r\n\
a=msid:5c8f4b0e-1d7e-4f7e-a0c6-111111111111 8dfb134c-83dc-4665-8bca-333333333333\r\n\
a=rtcp-mux\r\n\
a=rtcp-rsize\r\n\
a=rtpmap:96 VP8/90000\r\n\
a=rtcp-fb:96 goog-remb\r\n\
a=rtcp-fb:96 transport-cc\r\n\
a=rtcp-fb:96 ccm fir\r\n\
a=rtcp-fb:96 nack\r\n\
a=rtcp-fb:96 nack pli\r\n\
a=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\n\
a=rtpmap:102 H264/90000\r\n\
a=rtcp-fb:102 goog-remb\r\n\
a=rtcp-fb:102 transport-cc\r\n\
a=rtcp-fb:102 ccm fir\r\n\
a=rtcp-fb:102 nack\r\n\
a=rtcp-fb:102 nack pli\r\n\
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
a=rtpmap:103 rtx/90000\r\n\
a=fmtp:103 apt=102\r\n\
a=rtpmap:104 H264/90000\r\n\
a=rtcp-fb:104 goog-remb\r\n\
a=rtcp-fb:104 transport-cc\r\n\
a=rtcp-fb:104 ccm fir\r\n\
a=rtcp-fb:104 nack\r\n\
a=rtcp-fb:104 nack pli\r\n\
a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f\r\n\
a=rtpmap:107 rtx/90000\r\n\
a=fmtp:107 apt=104\r\n\
a=rtpmap:108 H264/90000\r\n\
a=rtcp-fb:108 goog-remb\r\n\
a=rtcp-fb:108 transport-cc\r\n\
a=rtcp-fb:108 ccm fir\r\n\
a=rtcp-fb:108 nack\r\n\
a=rtcp-fb:108 nack pli\r\n\
a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
a=rtpmap:109 rtx/90000\r\n\
a=fmtp:109 apt=108\r\n\
a=rtpmap:114 H264/90000\r\n\
a=rtcp-fb:114 goog-remb\r\n\
a=rtcp-fb:114 transport-cc\r\n\
a=rtcp-fb:114 ccm fir\r\n\
a=rtcp-fb:114 nack\r\n\
a=rtcp-fb:114 nack pli\r\n\
a=fmtp:114 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
a=rtpmap:115 rtx/90000\r\n\
a=fmtp:115 apt=114\r\n\
a=rtpmap:45 AV1/90000\r\n\
a=fmtp:45 level-idx=5;profile=0;tier=0\r\n\
a=rtpmap:46 rtx/90000\r\n\
a=fmtp:46 apt=45\r\n\
a=rtpmap:118 red/90000\r\n\
a=ssrc-group:FID 460727768 1206571853\r\n\
a=ssrc:460727768 cname:4TOk42mSjXCkVIa6\r\n\
a=ssrc:1206571853 cname:4TOk42mSjXCkVIa6\r\n";

/// A camera as baresip 1.0 puts it behind [`BARESIP`], with the modules avcodec and vp8.
pub(crate) const BARESIP_CAMERA: &str = "m=video 48406 RTP/AVP 96 97 34 99 100\r\n\
b=AS:512\r\n\
a=rtpmap:96 H264/90000\r\n\
a=fmtp:96 packetization-mode=0;profile-level-id=42e01f\r\n\
a=rtpmap:97 H264/90000\r\n\
a=fmtp:97 packetization-mode=1;profile-level-id=42e01f\r\n\
a=rtpmap:34 H263/90000\r\n\
a=fmtp:34 CIF=1;CIF4=1\r\n\
a=rtpmap:99 H265/90000\r\n\
a=fmtp:99 profile-id=1\r\n\
a=rtpmap:100 VP8/90000\r\n\
a=fmtp:100 max-fs=3600\r\n\
a=sendrecv\r\n\
a=label:2\r\n\
a=rtcp-rsize\r\n\
a=ssrc:1244285677 cname:sip:bob@192.0.2.20\r\n\
a=framerate:15.00\r\n\
a=rtcp-fb:* nack pli\r\n\
a=content:main\r\n";
