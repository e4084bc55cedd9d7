package usernet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// query is a DNS query with one question.
type query struct {
	raw      []byte
	header   dnsmessage.Header
	question dnsmessage.Question
	udpSize  int              // bytes that the asker takes in a datagram
	bad      dnsmessage.RCode // what is wrong with it, if something is
}

// parseQuery reads a query. An error means that it cannot even be refused.
func parseQuery(raw []byte) (*query, error) {
	var p dnsmessage.Parser
	h, err := p.Start(raw)
	if err != nil {
		return nil, fmt.Errorf("parse query: %w", err)
	}
	if h.Response {
		return nil, fmt.Errorf("parse query: it is a response")
	}
	q := &query{raw: raw, header: h, udpSize: 512} // RFC 1035 §4.2.1
	if h.OpCode != 0 {
		q.bad = dnsmessage.RCodeNotImplemented
		return q, nil
	}
	questions, err := p.AllQuestions()
	if err != nil || len(questions) != 1 {
		q.bad = dnsmessage.RCodeFormatError
		return q, nil
	}
	q.question = questions[0]
	q.readSize(&p)
	return q, nil
}

// readSize looks for the size that EDNS announces (RFC 6891 §6.2.3).
func (q *query) readSize(p *dnsmessage.Parser) {
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return
		}
		if h.Type == dnsmessage.TypeOPT {
			q.udpSize = max(q.udpSize, int(h.Class))
			return
		}
		if p.SkipAdditional() != nil {
			return
		}
	}
}

// name is what is asked for, in lower case and without the dot at its end.
func (q *query) name() string {
	return strings.ToLower(strings.TrimSuffix(q.question.Name.String(), "."))
}

// local answers the names that never leave the machine.
func (q *query) local() ([]byte, bool) {
	name := q.name()
	switch {
	case name == "localhost" || strings.HasSuffix(name, ".localhost"): // RFC 6761 §6.3
		return q.reply(dnsmessage.RCodeSuccess, q.loopback()), true
	case slices.Contains(metadataNames, name):
		return q.reply(dnsmessage.RCodeSuccess, q.v4(metadataIP)), true
	case name == "sunya.internal" || strings.HasSuffix(name, ".sunya.internal"):
		return q.reply(dnsmessage.RCodeNameError, nil), true
	}
	return nil, false
}

// loopback is the answer for localhost, nil for a type that it does not have.
func (q *query) loopback() dnsmessage.ResourceBody {
	switch q.question.Type {
	case dnsmessage.TypeA:
		return &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}
	case dnsmessage.TypeAAAA:
		return &dnsmessage.AAAAResource{AAAA: [16]byte{15: 1}}
	}
	return nil
}

// v4 is the answer for what has an IPv4 address on the link and nothing else.
func (q *query) v4(a netip.Addr) dnsmessage.ResourceBody {
	if q.question.Type != dnsmessage.TypeA {
		return nil
	}
	return &dnsmessage.AResource{A: a.As4()}
}

// reply builds a reply of our own; body is nil for none.
func (q *query) reply(code dnsmessage.RCode, body dnsmessage.ResourceBody) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{
		ID: q.header.ID, Response: true, OpCode: q.header.OpCode,
		RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, RCode: code,
	}}
	if q.bad == dnsmessage.RCodeSuccess {
		m.Questions = []dnsmessage.Question{q.question}
	}
	if body != nil {
		h := dnsmessage.ResourceHeader{Name: q.question.Name, Class: dnsmessage.ClassINET, TTL: 60}
		m.Answers = []dnsmessage.Resource{{Header: h, Body: body}}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// truncated tells the asker to come back over TCP.
func (q *query) truncated() []byte {
	b := q.reply(dnsmessage.RCodeSuccess, nil)
	if len(b) > 2 {
		b[2] |= 0x02 // TC
	}
	return b
}

// answeredBy says whether reply has the id and the question that were sent.
func (q *query) answeredBy(reply []byte, id uint16) bool {
	var p dnsmessage.Parser
	h, err := p.Start(reply)
	if err != nil || !h.Response || h.ID != id {
		return false
	}
	got, err := p.Question()
	if err != nil {
		return h.RCode == dnsmessage.RCodeFormatError // which may leave it out
	}
	return got.Type == q.question.Type && got.Class == q.question.Class &&
		strings.EqualFold(got.Name.String(), q.question.Name.String())
}
