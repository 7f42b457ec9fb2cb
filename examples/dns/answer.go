package main

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// zone is what the server knows.
type zone struct {
	name     string
	ip4, ip6 netip.Addr
}

// What a message's header has (RFC 1035).
const (
	headerSize = 12
	isAnswer   = 1 << 15
	byOwner    = 1 << 10
	keepBits   = 0x7900 // of the question's flags: the kind of question, recursion
	kindBits   = 0x7800

	malformed      = 1
	noSuchName     = 3
	notImplemented = 4

	typeA, typeAAAA, classIN = 1, 28, 1
	timeToLive               = 60
)

// answer returns the answer to a question, nil if there is to be none.
func (z zone) answer(question []byte) []byte {
	if len(question) < headerSize {
		return nil
	}
	flags := binary.BigEndian.Uint16(question[2:])
	if flags&isAnswer != 0 { // answers are not answered, or it would go on for ever
		return nil
	}
	name, rest, ok := parseName(question[headerSize:])
	ok = ok && binary.BigEndian.Uint16(question[4:]) == 1 && len(rest) >= 4
	out := append([]byte(nil), question[:headerSize]...)
	clear(out[4:])
	code, answers := uint16(0), uint16(0)
	switch {
	case flags&kindBits != 0:
		code = notImplemented
	case !ok:
		code = malformed
	default:
		out[5] = 1
		out = append(out, question[headerSize:len(question)-len(rest)+4]...)
		if !strings.EqualFold(name, z.name) {
			code = noSuchName
			break
		}
		if ip := z.addr(binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])); ip != nil {
			answers = 1
			out = append(out, 0xc0, headerSize) // the name: that of the question
			out = append(out, rest[:4]...)
			out = binary.BigEndian.AppendUint32(out, timeToLive)
			out = binary.BigEndian.AppendUint16(out, uint16(len(ip)))
			out = append(out, ip...)
		}
	}
	binary.BigEndian.PutUint16(out[2:], flags&keepBits|isAnswer|byOwner|code)
	binary.BigEndian.PutUint16(out[6:], answers)
	return out
}

// addr returns the address of a type.
func (z zone) addr(typ, class uint16) []byte {
	switch {
	case class != classIN:
	case typ == typeA:
		return z.ip4.AsSlice()
	case typ == typeAAAA:
		return z.ip6.AsSlice()
	}
	return nil
}

// parseName reads a name, and returns what is behind it.
func parseName(b []byte) (name string, rest []byte, ok bool) {
	var labels []string
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 {
			return strings.Join(labels, "."), b[1:], true
		}
		if n > 63 || len(b) < 1+n { // a question has no pointers
			return "", nil, false
		}
		labels = append(labels, string(b[1:1+n]))
		b = b[1+n:]
	}
	return "", nil, false
}
