/**
 * Why bytes are not HTTP/1.1 as this project reads it. RFC 9110 and 9112 leave room for leniency in
 * places; every one of them has been the way to smuggle a request past somebody, so none is used here.
 */
export type Http1Reason =
  /* lines */
  | 'bare_lf' /** a line that ends in LF without CR */
  | 'bare_cr' /** CR within a line */
  | 'head_too_large'
  /* start lines */
  | 'request_line_malformed'
  | 'method_unknown'
  | 'target_invalid' /** a byte outside visible ASCII */
  | 'target_form_unknown' /** neither origin, absolute, nor asterisk form */
  | 'version_unsupported'
  | 'status_line_malformed'
  | 'status_invalid' /** not 100-599 */
  /* fields */
  | 'field_malformed' /** no colon */
  | 'field_folded' /** obs-fold: a line that begins with white space */
  | 'field_name_invalid'
  | 'field_space_before_colon'
  | 'field_value_invalid' /** NUL or another control character */
  | 'fields_too_many'
  /* framing */
  | 'host_missing'
  | 'host_repeated'
  | 'content_length_invalid'
  | 'content_length_repeated'
  | 'content_length_with_transfer_encoding'
  | 'transfer_encoding_repeated'
  | 'transfer_encoding_unsupported' /** anything but exactly `chunked` */
  | 'transfer_encoding_in_http10'
  | 'connect_with_body'
  | 'interim_with_body' /** any 1xx, also 101 */
  /* chunked bodies */
  | 'chunk_size_invalid'
  | 'chunk_size_overflow'
  | 'chunk_extension' /** in a request; in a response a well-formed one is dropped */
  | 'chunk_line_too_long'
  | 'chunk_end_missing' /** no CRLF after the data */
  | 'trailer_too_large'
  | 'trailer_forbidden' /** framing, routing or authentication in a trailer (RFC 9110 6.5.1) */;
