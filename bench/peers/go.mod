module github.com/go-liburing/liburing/bench/peers

go 1.26.0

require (
	github.com/cloudwego/netpoll v0.7.2
	github.com/dshulyak/uring v0.0.0-20210209113719-1b2ec51f1542
	github.com/godzie44/go-uring v0.0.0-20250501163612-d16a9e597639
	github.com/panjf2000/gnet/v2 v2.9.1
	github.com/pawelgaczynski/giouring v0.0.0-20230826085535-69588b89acb9
)

require (
	github.com/bytedance/gopkg v0.1.1 // indirect
	github.com/cloudwego/gopkg v0.1.4 // indirect
	github.com/libp2p/go-sockaddr v0.1.1 // indirect
	github.com/panjf2000/ants/v2 v2.11.3 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.2.1 // indirect
)
