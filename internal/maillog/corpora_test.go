package maillog

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"waybill/internal/track"
)

// corpus returns a folder of the public corpora, which are not part of the
// project.
func corpus(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("WAYBILL_CORPORA")
	if dir == "" {
		t.Skip("WAYBILL_CORPORA is not set: the public corpora are not here")
	}
	return filepath.Join(dir, name)
}

// grokFields are the fields that both sides know, under the corpus' names.
var grokFields = map[string]track.Key{
	"postfix_client_ip": track.ClientIP, "postfix_client_hostname": track.ClientName, "postfix_client_port": track.ClientPort,
	"postfix_status_code": track.StatusCode, "postfix_status_code_enhanced": track.DSN,
	"postfix_proxy_status_code": track.StatusCode, "postfix_proxy_status_code_enhanced": track.DSN,
	"postfix_smtp_stage": track.Stage, "postfix_proxy_smtp_stage": track.Stage,
	"postfix_action": track.Action, "postfix_postsuper_action": track.Action,
	"postfix_smtp_response": track.Response, "postfix_local_response": track.Response, "postfix_pipe_response": track.Response,
	"postfix_error_response": track.Response, "postfix_tls_trustlevel": track.TLSTrust, "postfix_tls_version": track.TLSProtocol,
	"postfix_tls_cipher": track.TLSCipher, "postfix_relay_hostname": track.RelayName, "postfix_relay_ip": track.RelayIP,
	"postfix_relay_port": track.RelayPort, "postfix_bounce_queueid": track.LinkID, "postfix_from": track.Sender,
	"postfix_smtpd_lostconn_data": track.Reason, "postfix_milter_data": track.Reason, "postfix_prepend_value": track.Reason,
	"postfix_postscreen_violation": track.Reason, "postfix_postscreen_toobusy_data": track.Response,
	// Inside postfix_keyvalue_data:
	"to": track.Recipient, "orig_to": track.Original, "from": track.Sender, "relay": track.Relay, "delay": track.Delay,
	"delays": track.Delays, "dsn": track.DSN, "size": track.Size, "nrcpt": track.RcptCount, "proto": track.Protocol,
	"helo": track.Helo, "uid": track.UID,
}

// grokStatus are the corpus' words for the status.
var grokStatus = map[string]string{
	"sent": "delivered", "deferred": "deferred", "bounced": "bounced", "undeliverable-but-not-cached": "undeliverable",
}

// grokParts are patterns for parts of a line, which no daemon writes alone.
var grokParts = regexp.MustCompile(`COMMAND_COUNTER_DATA|POSTFIX_RELAY|TLS_FEATURES\}|POSTFIX_DELAYS`)

// grokDaemon are the daemons whose name is not their pattern's.
var grokDaemon = map[string]string{"trivial_rewrite": "trivial-rewrite", "script": "postfix-script"}

// grokDifferences are the fields of a case that differ, and why that is right.
var grokDifferences = func() map[string]map[string]string {
	const (
		noMessage = "a connection that was not made belongs to no message; the deferral that follows tells it"
		whole     = "the response keeps the words around it, as on a delivery line"
		noStage   = "the stage of an outgoing transaction is part of the response"
		note      = "a note, the text tells"
	)
	d := map[string]map[string]string{
		"discard_0001": {"postfix_status": "what the discard transport took was thrown away, not delivered"},
		"smtp_0031":    {"postfix_relay_hostname": note, "postfix_relay_ip": note, "postfix_relay_port": note},
		"smtp_0032":    {"postfix_smtp_response": whole},
		"smtp_0034":    {"postfix_smtp_response": whole},
	}
	for _, name := range []string{"smtp_0005", "smtp_0007", "smtp_0025", "smtp_0027", "smtp_0028", "smtp_0029", "smtp_0030"} {
		d[name] = map[string]string{"*": noMessage}
	}
	for _, name := range []string{"smtp_0020", "smtp_0021", "smtp_0023", "smtp_0024"} {
		d[name] = map[string]string{"postfix_smtp_response": whole, "postfix_smtp_stage": noStage}
	}
	return d
}()

var grokPair = regexp.MustCompile(`(\w+)=(<[^>]*>|[^ ,]+)`)

// TestGrokPatterns runs the cases of postfix-grok-patterns and compares the
// fields that both sides know.
func TestGrokPatterns(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t, "postfix-grok-patterns"), "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	compared := 0
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var tc struct {
				Pattern, Data string
				Results       map[string]string
			}
			if err := yaml.Unmarshal(b, &tc); err != nil {
				t.Fatal(err)
			}
			if grokParts.MatchString(tc.Pattern) {
				t.Skip("a part of a line")
			}
			daemon := name[:strings.LastIndexByte(name, '_')]
			if strings.HasPrefix(daemon, "tls_features") {
				daemon = "smtp"
			}
			if d, ok := grokDaemon[daemon]; ok {
				daemon = d
			}
			p, err := New(caseOptions)
			if err != nil {
				t.Fatal(err)
			}
			var ev *track.Event
			p.Line("Nov 21 21:00:00 mx postfix/"+daemon+"[1]: "+tc.Data, 1, 0, func(e *track.Event) {
				c := *e
				c.Attrs = append([]track.Attr(nil), e.Attrs...)
				ev = &c
			})
			s := p.Stats()
			if s.Dialects[0].Unknown != 0 {
				t.Fatalf("unknown: %q", tc.Data)
			}
			differs := grokDifferences[name]
			if ev == nil {
				ours := differs["*"] != ""
				for f := range tc.Results {
					if _, known := grokFields[f]; known && !ours && daemon != "anvil" && daemon != "dnsblog" && daemon != "tlsproxy" && daemon != "postscreen" {
						t.Errorf("no event, but the corpus knows %s: %q", f, tc.Data)
					}
				}
				return
			}
			compared += compareGrok(t, ev, tc.Results, differs)
		})
	}
	if compared < 300 {
		t.Errorf("only %d fields compared", compared)
	}
}

// compareGrok compares the fields of one case and returns their number.
func compareGrok(t *testing.T, e *track.Event, want map[string]string, differs map[string]string) (n int) {
	t.Helper()
	check := func(field, got, want string) {
		n++
		reason, known := differs[field]
		switch {
		case got == want && known:
			t.Errorf("%s is the same on both sides, but listed: %s", field, reason)
		case got != want && !known:
			t.Errorf("%s = %q, corpus says %q: %q", field, got, want, e.Text)
		}
	}
	for field, v := range want {
		key, known := grokFields[field]
		switch {
		case field == "postfix_queueid":
			if v == "NOQUEUE" {
				v = ""
			}
			check(field, e.QueueID, v)
		case field == "postfix_message-id":
			check(field, strings.Trim(e.Value(track.MessageIDHdr), "<>"), v)
		case field == "postfix_milter_result":
			check(field, e.Value(track.Action), "milter-"+v)
		case field == "postfix_status" && e.Kind == track.MessageExpired:
			check(field, e.Value(track.Action), v)
		case field == "postfix_status":
			check(field, e.Value(track.StatusWord), grokStatus[v])
		case field == "postfix_keyvalue_data":
			for _, m := range grokPair.FindAllStringSubmatch(v, -1) {
				if key, ok := grokFields[m[1]]; ok {
					check(m[1], e.Value(key), strings.Trim(m[2], "<>"))
				}
			}
		case known:
			if v == "unknown" {
				v = ""
			}
			check(field, e.Value(key), v)
		}
	}
	return n
}

// crowdsecFields are the fields of the second corpus that both sides know.
var crowdsecFields = map[string]track.Key{
	"remote_addr": track.ClientIP, "remote_host": track.ClientName, "action": track.Action, "command": track.Stage,
	"smtp_basic_status_code": track.StatusCode, "smtp_enhanced_status_code": track.DSN,
	"<helo": track.Helo, "<from": track.Sender, "<to": track.Recipient, "<proto": track.Protocol,
}

// crowdsecLine is an assertion; fields of the trailer are marked with "<".
var crowdsecLine = regexp.MustCompile(`^results\["s01-parse"\]\["crowdsecurity/postfix-logs"\]\[(\d+)\]\.Evt\.(Parsed|Unmarshaled\["postfix"\])\["(\w+)"\] == (".*")$`)

// TestCrowdsec runs the log of the second corpus against its own assertions.
func TestCrowdsec(t *testing.T) {
	dir := corpus(t, "crowdsec/postfix-logs")
	log, err := os.ReadFile(filepath.Join(dir, "postfix-logs.log"))
	if err != nil {
		t.Fatal(err)
	}
	asserts, err := os.ReadFile(filepath.Join(dir, "parser.assert"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	byBody := map[string]track.Event{}
	for i, line := range strings.Split(strings.TrimSpace(string(log)), "\n") {
		p.Line(line, int64(i+1), 0, func(e *track.Event) {
			c := *e
			c.Attrs = append([]track.Attr(nil), e.Attrs...)
			_, body, _ := strings.Cut(e.Text, "]: ")
			byBody[body] = c
		})
	}
	for _, d := range p.Stats().Dialects {
		if d.Unknown > 0 {
			t.Errorf("unknown: %q", d.Samples)
		}
	}
	cases := map[string]map[string]string{}
	for _, line := range strings.Split(string(asserts), "\n") {
		if m := crowdsecLine.FindStringSubmatch(line); m != nil {
			if cases[m[1]] == nil {
				cases[m[1]] = map[string]string{}
			}
			v, err := strconv.Unquote(m[4])
			if err != nil {
				t.Fatal(err)
			}
			field := m[3]
			if m[2] != "Parsed" {
				field, v = "<"+field, strings.Trim(v, "<>")
			}
			cases[m[1]][field] = v
		}
	}
	compared := 0
	for n, want := range cases {
		e, ok := byBody[want["message"]]
		if !ok {
			t.Errorf("case %s has no event: %q", n, want["message"])
			continue
		}
		for field, v := range want {
			key, known := crowdsecFields[field]
			if !known || v == "" {
				continue
			}
			if v == "unknown" {
				v = ""
			}
			if field == "command" && e.Kind == track.ConnNote {
				v = "" // what is not SMTP is no stage of it; the text tells
			}
			compared++
			if got := e.Value(key); got != v {
				t.Errorf("case %s: %s = %q, corpus says %q", n, field, got, v)
			}
		}
	}
	if compared < 20 {
		t.Errorf("only %d fields compared", compared)
	}
}
