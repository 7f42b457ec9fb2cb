//go:build linux

package ringio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// A database's driver works over a dial function of ringio as it does over net's:
// pooled connections, pipelines, large values, calls that wait and are given up,
// subscriptions, and a server that goes.
func TestRedis(t *testing.T) {
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			client := redis.NewClient(&redis.Options{Addr: server.Addr(), Dialer: dial, PoolSize: 20, MaxRetries: -1, ContextTimeoutEnabled: true})
			defer client.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			t.Run("many", func(t *testing.T) { redisMany(ctx, t, client) })
			t.Run("large", func(t *testing.T) { redisLarge(ctx, t, client) })
			t.Run("given up", func(t *testing.T) { redisGivenUp(ctx, t, client) })
			t.Run("subscription", func(t *testing.T) { redisSubscription(ctx, t, client) })
			server.Close()
			if err := client.Ping(ctx).Err(); err == nil {
				t.Error("the server has gone, and nothing tells")
			}
		})
	}
}

func redisMany(ctx context.Context, t *testing.T, client *redis.Client) {
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for n := range 20 {
				p := client.Pipeline()
				key := fmt.Sprint("key", i)
				p.Set(ctx, key, n, 0)
				got := p.Get(ctx, key)
				p.Incr(ctx, "all")
				if _, err := p.Exec(ctx); err != nil || got.Val() != fmt.Sprint(n) {
					t.Error(got.Val(), err)
				}
			}
		})
	}
	all.Wait()
	if n, err := client.Get(ctx, "all").Int(); n != 1000 || err != nil {
		t.Error(n, err)
	}
}

func redisLarge(ctx context.Context, t *testing.T, client *redis.Client) {
	want := strings.Repeat("large ", 500_000)
	if err := client.Set(ctx, "large", want, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(ctx, "large").Result(); got != want || err != nil {
		t.Error(len(got), err)
	}
}

func redisGivenUp(ctx context.Context, t *testing.T, client *redis.Client) {
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err := client.BLPop(short, 0, "nothing").Err()
	if timeout := net.Error(nil); !errors.Is(err, context.DeadlineExceeded) && !(errors.As(err, &timeout) && timeout.Timeout()) {
		t.Error(err)
	}
	done := make(chan error)
	go func() {
		_, err := client.BLPop(ctx, 5*time.Second, "list").Result()
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	if err := client.RPush(ctx, "list", "x").Err(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func redisSubscription(ctx context.Context, t *testing.T, client *redis.Client) {
	s := client.Subscribe(ctx, "news")
	defer s.Close()
	if _, err := s.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReceiveTimeout(ctx, 20*time.Millisecond); err == nil {
		t.Error("there is a message")
	}
	for i := range 100 {
		if err := client.Publish(ctx, "news", i).Err(); err != nil {
			t.Fatal(err)
		}
		m, err := s.ReceiveMessage(ctx)
		if err != nil || m.Payload != fmt.Sprint(i) {
			t.Fatal(m, err)
		}
	}
}
