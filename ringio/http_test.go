//go:build linux

package ringio

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// httpServer serves on a listener of the stack, with TLS if secure.
func httpServer(t *testing.T, s stack, secure bool, h http.Handler) (server *httptest.Server, client *http.Client) {
	server = httptest.NewUnstartedServer(h)
	server.Listener.Close()
	server.Listener = s.mustListen(t, "tcp")
	if secure {
		server.EnableHTTP2 = true
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	client = server.Client()
	transport := client.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return s.dial(new(net.Dialer), ctx, network, address)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return server, client
}

func TestHTTP(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Protocol", r.Proto)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		w.Write(body)
	})
	onStacks(t, func(t *testing.T, s stack) {
		for name, secure := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
			server, client := httpServer(t, s, secure, echo)
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					for n := range 10 {
						sent := strings.Repeat(fmt.Sprint(i, n), n*n*500)
						r, err := client.Post(server.URL, "", strings.NewReader(sent))
						require.NoError(t, err)
						got, err := io.ReadAll(r.Body)
						r.Body.Close()
						require.NoError(t, err)
						require.Equal(t, sent, string(got))
						require.Equal(t, name, r.Header.Get("Protocol"))
					}
				})
			}
			within(t, all.Wait)
		}
	})
}

func TestHTTPServesAFile(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		server, client := httpServer(t, s, false, http.FileServer(http.Dir(".")))
		r, err := client.Get(server.URL + "/http_test.go")
		require.NoError(t, err)
		defer r.Body.Close()
		got, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Contains(t, string(got), "func TestHTTPServesAFile")
	})
}

// A client that goes is noticed, a connection can be hijacked, and Shutdown waits.
func TestHTTPServersWays(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		gone, began := make(chan struct{}), make(chan struct{}, 2)
		mux := http.NewServeMux()
		mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			<-r.Context().Done()
			close(gone)
		})
		mux.HandleFunc("/hijack", func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			require.NoError(t, err)
			rw.WriteString("mine\n")
			rw.Flush()
			io.Copy(c, rw)
			c.Close()
		})
		mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			time.Sleep(20 * time.Millisecond)
			io.WriteString(w, "done")
		})
		l := s.mustListen(t, "tcp")
		server := &http.Server{Handler: mux}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()

		c := s.mustDial(t, l.Addr())
		fmt.Fprint(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		<-began
		c.Close()
		within(t, func() { <-gone })

		c = s.mustDial(t, l.Addr())
		fmt.Fprint(c, "GET /hijack HTTP/1.1\r\nHost: x\r\n\r\nand this")
		line, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "mine\n", line)
		c.Close()

		answer := make(chan string)
		go func() {
			r, err := http.Get("http://" + l.Addr().String() + "/slow")
			require.NoError(t, err)
			defer r.Body.Close()
			body, _ := io.ReadAll(r.Body)
			answer <- string(body)
		}()
		<-began
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		down := make(chan error)
		go func() { down <- server.Shutdown(ctx) }()
		require.Equal(t, "done", <-answer)
		require.NoError(t, <-down)
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
}

func TestTLS(t *testing.T) {
	certificates := httptest.NewUnstartedServer(nil)
	certificates.StartTLS()
	defer certificates.Close()
	onStacks(t, func(t *testing.T, s stack) {
		l := tls.NewListener(s.mustListen(t, "tcp"), certificates.TLS)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					io.Copy(c, c)
					c.Close()
				}()
			}
		}()
		c := tls.Client(s.mustDial(t, l.Addr()), &tls.Config{InsecureSkipVerify: true})
		sent := strings.Repeat("secret", 100_000)
		go func() {
			io.WriteString(c, sent)
			c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, sent, string(got))
	})
}
