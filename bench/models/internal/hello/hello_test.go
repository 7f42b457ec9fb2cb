package hello

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		name, request, answer string
		last                  bool
	}{
		{"one request", OneRequest, LastAnswer, true},
		{"several requests", Request, Answer, false},
		{"the last of several", "GET /x HTTP/1.1\r\nconnection: Close\r\n\r\n", LastAnswer, true},
		{"another method", "POST / HTTP/1.1\r\n\r\n", BadRequest, true},
		{"another version", "GET / HTTP/2\r\n\r\n", BadRequest, true},
		{"no request", "\r\n\r\n", BadRequest, true},
		{"too long", "GET /" + strings.Repeat("x", MaxHead), BadRequest, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c Conversation
			c.Got(copy(c.Room(), test.request))
			answer, last := c.Next()
			require.Equal(t, test.answer, string(answer))
			require.Equal(t, test.last, last)
		})
	}
}

// TestRequestsArriveInPieces has a request come byte by byte.
func TestRequestsArriveInPieces(t *testing.T) {
	var c Conversation
	for i := range len(Request) - 1 {
		c.Got(copy(c.Room(), Request[i:i+1]))
		answer, _ := c.Next()
		require.Nil(t, answer, "after %q", Request[:i+1])
	}
	c.Got(copy(c.Room(), "\n"))
	answer, _ := c.Next()
	require.Equal(t, Answer, string(answer))
}

func TestRequestsArriveTogether(t *testing.T) {
	var c Conversation
	c.Got(copy(c.Room(), Request+Request+OneRequest+"GET"))
	for _, want := range []string{Answer, Answer, LastAnswer} {
		answer, last := c.Next()
		require.Equal(t, want, string(answer))
		require.Equal(t, want == LastAnswer, last)
	}
	answer, _ := c.Next()
	require.Nil(t, answer)
}

func TestConversationsAllocateNothing(t *testing.T) {
	var c Conversation
	require.Zero(t, testing.AllocsPerRun(100, func() {
		c.Got(copy(c.Room(), Request))
		c.Next()
	}))
}
