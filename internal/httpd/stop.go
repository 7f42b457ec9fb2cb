package httpd

import "time"

// tick is how often the server looks for clients that have taken too long.
func (s *Server) tick() time.Duration {
	shortest := min(s.options.Timeout, s.options.Grace, lingerFor)
	return max(10*time.Millisecond, shortest/4)
}

// sweep cuts off clients that have taken too long: one timer for all of them
// costs less than one for each request.
func (s *Server) sweep() {
	now := time.Now()
	s.graceOver = s.stopping && now.After(s.graceEnds)
	for c := range s.conns {
		if s.graceOver || now.After(c.by) {
			c.cut()
		}
	}
}

// stop begins the end: connections that are being answered may go on for a
// while, the others are closed.
func (s *Server) stop() {
	s.stopping = true
	s.graceEnds = time.Now().Add(s.options.Grace)
	s.shutDoor()
	for c := range s.conns {
		if c.request == nil && !c.last {
			c.cut()
		}
	}
	s.restIfDone()
}

// restIfDone stops the clock when the server is stopping and nobody is left. The
// loop is idle then.
func (s *Server) restIfDone() {
	if s.stopping && len(s.conns) == 0 {
		s.ticker.Stop()
	}
}
