package doctor

import (
	"strings"
	"testing"
)

// theft is a gateway whose window 3 another collector took, and the main
// manager's logs under a name of the gateway.
func theft(name, address string) (cli, trackerd string) {
	c, tr := &smallLog{ending: ".s.gz"}, &smallLog{ending: ".s.gz"}
	for n := range 8 {
		if n == 3 {
			c.takes(n, 5, smallOther)
			c.session(n, 20, "smaduser", smallMain, "ls -AF /export/tracking/")
			continue
		}
		c.takes(n, 10, smallMain)
		tr.moved(n, 30)
	}
	return strings.ReplaceAll(c.String(), smallGateway, address), strings.ReplaceAll(tr.String(), smallGateway, name)
}

const connectedTo = "Mon Feb 13 00:00:05 2023 Info: PEER: connected to "

// TestNameAndAddress: trackerd_logs of Waybill have a gateway's name, cli_logs
// its address.
func TestNameAndAddress(t *testing.T) {
	for name, tc := range map[string]struct {
		smad, address string
		gateway       string
	}{
		"said":              {connectedTo + "mx-a (192.0.2.64:2222, waybill 1.0, gateway mx-a)\n", "192.0.2.64", "mx-a"},
		"said, no port":     {connectedTo + "mx-a (192.0.2.64, any SSH server)\n", "192.0.2.64", "mx-a"},
		"said, version 6":   {connectedTo + "mx-a ([2001:DB8::64]:2222, waybill 1.0, gateway mx-a)\n", "2001:db8::64", "mx-a"},
		"inferred":          {"", "192.0.2.64", "mx-a"},
		"a host's name":     {connectedTo + "mx-a (mx-a.example.com:2222, waybill 1.0, gateway mx-a)\n", "192.0.2.64", "mx-a"},
		"another's address": {connectedTo + "mx-b (192.0.2.65:2222, waybill 1.0, gateway mx-b)\n", "192.0.2.64", "mx-a"},
	} {
		t.Run(name, func(t *testing.T) {
			cli, trackerd := theft("mx-a", tc.address)
			files := map[string]string{"cli.log": cli, "trackerd.log": trackerd}
			if tc.smad != "" {
				files["smad.log"] = tc.smad
			}
			r := examineTexts(t, Options{}, files)
			f := only(t, r)
			if f.Gateway != tc.gateway || f.Cause != TakenByOther || f.By != smallOther || f.Confidence != High || f.Reckoned {
				t.Errorf("%+v", f)
			}
			if len(r.Managers) != 2 || r.Managers[0].Address != smallMain {
				t.Errorf("managers %+v", r.Managers)
			}
			if len(r.Uncovered) > 0 {
				t.Errorf("uncovered %+v", r.Uncovered)
			}
		})
	}
}

// TestNamesOfWindowsAreNoProof: gateways of Waybill cut windows with equal names.
func TestNamesOfWindowsAreNoProof(t *testing.T) {
	cliA, trackerdA := theft("mx-a", "192.0.2.64")
	cliB, trackerdB := theft("mx-b", "192.0.2.65")
	const peerA, peerB = connectedTo + "mx-a (192.0.2.64:2222, waybill 1.0, gateway mx-a)\n", connectedTo + "mx-b (192.0.2.65:2222, waybill 1.0, gateway mx-b)\n"
	const twice = connectedTo + "mx-a (192.0.2.64:2222, waybill 1.0, gateway mx-a)\n" + connectedTo + "mx-b (192.0.2.64:2223, waybill 1.0, gateway mx-b)\n"
	for name, tc := range map[string]struct {
		files map[string]string
		sure  []string // gateways whose loss is explained
	}{
		"nobody says it":          {map[string]string{"a": cliA, "b": cliB, "t": trackerdA + trackerdB}, nil},
		"two names, one log":      {map[string]string{"a": cliA, "t": trackerdA + trackerdB}, nil},
		"both are said":           {map[string]string{"a": cliA, "b": cliB, "t": trackerdA + trackerdB, "s": peerA + peerB}, []string{"mx-a", "mx-b"}},
		"one is said":             {map[string]string{"a": cliA, "b": cliB, "t": trackerdA + trackerdB, "s": peerA}, []string{"mx-a"}},
		"one address, two ports":  {map[string]string{"a": cliA, "t": trackerdA + trackerdB, "s": twice}, nil},
		"a name, two addresses":   {map[string]string{"a": cliA, "b": cliB, "t": trackerdA}, nil},
		"moved to a new address":  {map[string]string{"a": cliA, "t": trackerdA, "s": connectedTo + "mx-a (192.0.2.99:2222, waybill 1.0, gateway mx-a)\n" + peerA}, []string{"mx-a"}},
		"what is no line of smad": {map[string]string{"a": cliA, "b": cliB, "t": trackerdA, "s": connectedTo + "mx-a 192.0.2.64\n" + connectedTo + "mx-a (192.0.2.64:x, y)\n" + connectedTo + " (192.0.2.64, y)\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := examineTexts(t, Options{}, tc.files)
			var sure []string
			for _, f := range r.Findings {
				if f.Cause == TakenByOther {
					sure = append(sure, f.Gateway)
				}
			}
			if strings.Join(sure, " ") != strings.Join(tc.sure, " ") {
				t.Errorf("explained: %q, want %q; %+v", sure, tc.sure, r.Findings)
			}
		})
	}
}

// TestOwnWord: of two managers that both have everything only a log's own word
// tells whose it is, also whose the logs beside it are.
func TestOwnWord(t *testing.T) {
	c, tr := &smallLog{ending: ".s.gz"}, &smallLog{ending: ".s.gz"}
	for n := range 8 {
		c.session(n, 5, "smaduser", smallMain, "scp -f /export/tracking/"+c.smallWindow(n))
		c.session(n, 8, "smaduser", smallOther, "scp -f /export/tracking/"+c.smallWindow(n))
		tr.moved(n, 30)
	}
	for _, own := range []string{smallMain, smallOther} {
		r := examineTexts(t, Options{}, map[string]string{
			"cli.log": c.String(), "trackerd.log": tr.String(),
			"smad.log": connectedTo + "mx-a (" + smallGateway + ":2222, from " + own + ", waybill 1.0, gateway mx-a)\n",
		})
		if len(r.Managers) == 0 || r.Managers[0].Address != own || len(r.Findings) > 0 {
			t.Errorf("the log of %s is given to %+v, findings %d", own, r.Managers, len(r.Findings))
		}
	}
}
