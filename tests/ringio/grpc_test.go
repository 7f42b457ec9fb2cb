package ringio_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var streaming = grpc.StreamDesc{StreamName: "Echo", ServerStreams: true, ClientStreams: true}

// echoService sends back each message of a stream.
var echoService = grpc.ServiceDesc{
	ServiceName: "test.Echo", HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName: "Echo", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			for {
				m := new(wrapperspb.BytesValue)
				if err := stream.RecvMsg(m); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				if err := stream.SendMsg(m); err != nil {
					return err
				}
			}
		},
	}},
}

func TestGRPCStreams(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) { grpcStreams(t, end.dial, end.listen) })
	}
}

func grpcStreams(t *testing.T, dial func(network, address string) (net.Conn, error), listen func(network, address string) (net.Listener, error)) {
	l, err := listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	server.RegisterService(&echoService, nil)
	go server.Serve(l)
	defer server.Stop()
	client, err := grpc.NewClient("passthrough:///"+l.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(_ context.Context, address string) (net.Conn, error) { return dial("tcp", address) }))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() { echoStream(t, ctx, client, i) })
	}
	all.Wait()
}

// echoStream sends messages of all sizes, and has each come back.
func echoStream(t *testing.T, ctx context.Context, client *grpc.ClientConn, i int) {
	stream, err := client.NewStream(ctx, &streaming, "/test.Echo/Echo")
	if err != nil {
		t.Error(err)
		return
	}
	for n := range 50 {
		sent := fmt.Appendf(make([]byte, n*n*20), "%d of %d", n, i)
		got := new(wrapperspb.BytesValue)
		err := stream.SendMsg(wrapperspb.Bytes(sent))
		if err == nil {
			err = stream.RecvMsg(got)
		}
		if err != nil || string(got.Value) != string(sent) {
			t.Errorf("message %d of stream %d: %v", n, i, err)
			return
		}
	}
	stream.CloseSend()
	if err := stream.RecvMsg(new(wrapperspb.BytesValue)); err != io.EOF {
		t.Errorf("stream %d ends with %v", i, err)
	}
}
