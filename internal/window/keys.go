package window

import (
	"strconv"

	"waybill/internal/track"
)

// keyNames are the names of attributes for people; docs/format.md has the same.
var keyNames = [...]string{
	track.Sender: "sender", track.Recipient: "recipient", track.Original: "original", track.Size: "size",
	track.RcptCount: "recipient_count", track.MessageIDHdr: "message_id", track.Subject: "subject",
	track.ClientIP: "client_ip", track.ClientName: "client_name", track.ClientPort: "client_port", track.Helo: "helo",
	track.User: "user", track.Mechanism: "mechanism", track.TLSProtocol: "tls_protocol", track.TLSCipher: "tls_cipher",
	track.TLSTrust: "tls_trust", track.Relay: "relay", track.RelayIP: "relay_ip", track.RelayPort: "relay_port",
	track.RelayName: "relay_name", track.DSN: "dsn", track.StatusWord: "status", track.Response: "response",
	track.Delay: "delay", track.Delays: "delays", track.ConnUse: "conn_use", track.Route: "route",
	track.MaybeSent: "maybe_sent", track.LinkID: "link_id", track.LinkRelation: "link_relation", track.Reason: "reason",
	track.Protocol: "protocol", track.UID: "uid", track.Verdict: "verdict", track.Engine: "engine", track.Score: "score",
	track.Instance: "instance", track.DCID: "dcid", track.Attachment: "attachment", track.FileHash: "file_hash",
	track.Direction: "direction", track.Stage: "stage", track.ParentID: "parent_id", track.ParentRel: "parent_relation",
	track.StatusCode: "status_code", track.Action: "action",
	track.MTA: "mta", track.RID: "rid",
}

// KeyName is the name of an attribute's key; one that this version does not know
// is "key" and its number.
func KeyName(k track.Key) string {
	if int(k) < len(keyNames) && keyNames[k] != "" {
		return keyNames[k]
	}
	return "key" + strconv.Itoa(int(k))
}
