//go:build linux

package ringio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// A driver that reads in the background, gives queries up by a connection of their own and
// waits for notifications works over ringio as it does over net.
func TestPostgres(t *testing.T) {
	address := startPostgres(t)
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			config, err := pgxpool.ParseConfig("postgres://tester@" + address + "/postgres?sslmode=disable&pool_max_conns=10")
			require.NoError(t, err)
			config.ConnConfig.DialFunc = dial
			pool, err := pgxpool.NewWithConfig(ctx, config)
			require.NoError(t, err)
			defer pool.Close()
			t.Run("many", func(t *testing.T) { postgresMany(ctx, t, pool) })
			t.Run("large", func(t *testing.T) { postgresLarge(ctx, t, pool) })
			t.Run("given up", func(t *testing.T) { postgresGivenUp(ctx, t, pool) })
			t.Run("notification", func(t *testing.T) { postgresNotification(ctx, t, pool) })
			t.Run("killed", func(t *testing.T) { postgresKilled(ctx, t, pool) })
		})
	}
}

func postgresMany(ctx context.Context, t *testing.T, pool *pgxpool.Pool) {
	_, err := pool.Exec(ctx, "drop table if exists counters; create table counters (id int primary key, n int not null)")
	require.NoError(t, err)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			for range 10 {
				var n int
				err := pool.QueryRow(ctx, "insert into counters values ($1, 1) on conflict (id) do update set n = counters.n + 1 returning n", i%8).Scan(&n)
				if err != nil || n < 1 {
					t.Error(n, err)
				}
			}
		})
	}
	all.Wait()
	var sum int
	require.NoError(t, pool.QueryRow(ctx, "select sum(n) from counters").Scan(&sum))
	require.Equal(t, 400, sum)
}

func postgresLarge(ctx context.Context, t *testing.T, pool *pgxpool.Pool) {
	_, err := pool.Exec(ctx, "drop table if exists texts; create table texts (id int, t text)")
	require.NoError(t, err)
	rows := make([][]any, 2000)
	for i := range rows {
		rows[i] = []any{i, strings.Repeat(fmt.Sprint("large ", i), 100)}
	}
	n, err := pool.CopyFrom(ctx, pgx.Identifier{"texts"}, []string{"id", "t"}, pgx.CopyFromRows(rows))
	require.NoError(t, err)
	require.EqualValues(t, len(rows), n)
	got, err := pool.Query(ctx, "select id, t from texts order by id")
	require.NoError(t, err)
	for i := 0; got.Next(); i++ {
		var id int
		var text string
		require.NoError(t, got.Scan(&id, &text))
		require.Equal(t, rows[i], []any{id, text})
	}
	require.NoError(t, got.Err())
	require.EqualValues(t, len(rows), got.CommandTag().RowsAffected())
}

func postgresGivenUp(ctx context.Context, t *testing.T, pool *pgxpool.Pool) {
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := pool.Exec(short, "select pg_sleep(30)")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 20*time.Second)
	require.NoError(t, pool.Ping(ctx))
}

func postgresNotification(ctx context.Context, t *testing.T, pool *pgxpool.Pool) {
	c, err := pool.Acquire(ctx)
	require.NoError(t, err)
	defer c.Release()
	_, err = c.Exec(ctx, "listen news")
	require.NoError(t, err)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = c.Conn().WaitForNotification(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for i := range 100 {
		_, err := pool.Exec(ctx, "select pg_notify('news', $1)", fmt.Sprint(i))
		require.NoError(t, err)
		n, err := c.Conn().WaitForNotification(ctx)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), n.Payload)
	}
}

// postgresKilled has the server end a connection that waits.
func postgresKilled(ctx context.Context, t *testing.T, pool *pgxpool.Pool) {
	c, err := pool.Acquire(ctx)
	require.NoError(t, err)
	defer c.Release()
	ended := make(chan error, 1)
	pid := c.Conn().PgConn().PID()
	go func() { _, err := c.Exec(ctx, "select pg_sleep(30)"); ended <- err }()
	for killed := false; !killed; {
		err := pool.QueryRow(ctx, "select coalesce((select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and state = 'active' and query like '%pg_sleep%'), false)", pid).Scan(&killed)
		require.NoError(t, err)
	}
	require.ErrorContains(t, <-ended, "57P01")
	require.NoError(t, pool.Ping(ctx))
}

// startPostgres starts a server for the test, and returns its address.
func startPostgres(t *testing.T) string {
	initdb, server := findPostgres("initdb"), findPostgres("postgres")
	if initdb == "" || server == "" {
		t.Skip("no PostgreSQL server is installed: apt-get install postgresql")
	}
	who := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	dir, err := os.MkdirTemp("", "ringio-postgres") // t.TempDir's are closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() == 0 { // as which it does not run
		if who.Credential, err = anotherUser(); err != nil {
			t.Skip("PostgreSQL does not run as root: ", err)
		}
		require.NoError(t, os.Chown(dir, int(who.Credential.Uid), int(who.Credential.Gid)))
	}
	run := exec.Command(initdb, "-D", dir, "-A", "trust", "-U", "tester", "--no-sync", "--locale=C", "-E", "UTF8")
	run.SysProcAttr, run.Dir = who, dir
	out, err := run.CombinedOutput()
	require.NoError(t, err, string(out))
	for range 5 { // another program may take the port meanwhile
		if address := tryPostgres(t, server, dir, who); address != "" {
			return address
		}
	}
	t.Fatal("the server does not run")
	return ""
}

// tryPostgres runs the server on a port that was free a moment ago, and returns its address
// when it answers, "" if it ends before.
func tryPostgres(t *testing.T, server, dir string, who *syscall.SysProcAttr) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(server, "-D", dir, "-h", "127.0.0.1", "-p", port, "-k", "", "-F", "-c", "shared_buffers=8MB")
	cmd.SysProcAttr, cmd.Dir = who, dir
	require.NoError(t, cmd.Start())
	gone := make(chan struct{})
	go func() { cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		<-gone
	})
	for {
		c, err := pgx.Connect(t.Context(), "postgres://tester@"+address+"/postgres?sslmode=disable&connect_timeout=10")
		if err == nil {
			c.Close(t.Context())
			return address
		}
		select {
		case <-gone:
			return ""
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// findPostgres returns the path of one of its programs, which Debian has in no PATH.
func findPostgres(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

func anotherUser() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}
