package web

import (
	"encoding/json"
	"net/http"

	"waybill/internal/safetext"
)

// progress tells a script how far an import is.
func (s *site) progress(w http.ResponseWriter, _ *http.Request) error {
	out := struct {
		Text string `json:"text"`
		Done bool   `json:"done"`
	}{Done: true}
	if s.Progress != nil {
		text, done := s.Progress()
		out.Text, out.Done = safetext.Of(text).Short(200).String(), done
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the reader has gone: there is nobody to tell
	return nil
}
