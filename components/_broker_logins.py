"""Shell that gives a broker's user a new password by RabbitMQ's management API, and never lets one out of the task.

Amazon MQ takes users of RabbitMQ only when a broker is made. In AWS's own image of its CLI, which has curl: it reads
user and password from a file, and what is to be set from another. A password is in no definition, no argument of a
process and no line of output.

Each run sees to it that every broker takes the current password. One that is rotated gets a version AWSPENDING first,
RabbitMQ learns it, it is proved, and then it becomes AWSCURRENT. Whatever is interrupted, the same run once more goes
on from there: of the versions that have a label, one opens, and with that the wanted one is set.

The version that the broker was made with keeps a label of its own: Secrets Manager deletes versions without one in the
end, and Pulumi would put that value in again, as the current one. A broker that is made anew opens with it, too.
"""

from components._role_passwords import COMMON, PASSWORD_LENGTH

FIRST = "FIRST"  # the label
ANSWERS_IN_S = 10
TRIES_MORE = 2

_ROTATE = """
rm -f new curlrc body answer
if [ -n "$BROKER" ]; then
  case "
$BROKERS" in *"
$BROKER "*) ;; *) echo "The stack has no broker $BROKER: nothing is changed" >&2; exit 64 ;; esac
fi
send() {{
  printf 'user = "%s:%s"\\n' "$user" "$password" > curlrc
  code=$(curl --config curlrc --silent --show-error --max-time {answers_in_s} --retry {tries_more} \\
    --retry-connrefused --output answer --write-out '%{{http_code}}' "$@" < /dev/null) || :
  rm -f curlrc
}}
unwell() {{
  echo "$name: $console answers with $code: $1" >&2
  exit 69
}}
try_it() {{
  send "$console/api/whoami"
  case $code in 200) opened_with=$password ;; 401) ;; *) unwell "no password was tried" ;; esac
}}
find_open() {{
  open=$current
  login "$arn" --version-id "$open"
  try_it
  if [ "$code" = 200 ]; then return; fi
  # Those that have a label: of a rotation that was interrupted, the former one, the first.
  versions=$(ask describe-secret --secret-id "$arn" --query 'keys(VersionIdsToStages)')
  if [ "$name" = "$BROKER" ]; then versions="$versions $VERSION"; fi
  for open in $versions; do
    if [ "$open" = "$current" ]; then continue; fi
    login "$arn" --version-id "$open"
    try_it
    if [ "$code" = 200 ]; then return; fi
  done
  echo "$name: no password of $arn opens $console: set the current one there, or put in what was set" >&2
  exit 69
}}
quote='"'
set_in_broker() {{
  read -r told < answer || :
  tags=${{told#*'"tags":'}}
  case $tags in
    '['*']'*) tags="${{tags%%]*}}]" ;;
    '"'*'"'*) tags=${{tags#?}} tags=$quote${{tags%%$quote*}}$quote ;;
    *) echo "$name: $console does not say which tags $user has: no password was set" >&2; exit 69 ;;
  esac
  login "$arn" --version-id "$1"
  wanted=$password
  printf '{{"password":"%s","tags":%s}}' "$wanted" "$tags" > body
  password=$opened_with
  send --request PUT --header 'content-type: application/json' --data @body "$console/api/users/$user"
  rm -f body
  case $code in 201 | 204) ;; *) unwell "the password was not set" ;; esac
  password=$wanted
  try_it
  if [ "$code" != 200 ]; then unwell "the password that was set does not open it"; fi
}}
printf '%s\\n' "$BROKERS" | while read -r name user arn console held; do
  [ -n "$name" ] || continue
  if [ "$name" = "$BROKER" ] && [ -n "$held" ]; then
    echo "$name: its password is in $held, too, which nobody would put together anew: nothing is changed" >&2
    exit 64
  fi
  console=${{console%/}}
  look "$arn"
  current=$(id_of "$arn" AWSCURRENT)
  find_open
  version=$current
  if [ "$name" = "$BROKER" ]; then
    if ! has {first}; then
      ask update-secret-version-stage --secret-id "$arn" --version-stage {first} \\
        --move-to-version-id "$current" > /dev/null
    fi
    choose "$name" "$user" "$arn" "$current"
  fi
  if [ "$open" != "$version" ]; then
    set_in_broker "$version"
    [ "$name" = "$BROKER" ] || echo "$name: RabbitMQ had another password, and takes the current one again"
  fi
  if [ "$name" = "$BROKER" ]; then
    promote "$arn" "$version"
    echo "$name: RabbitMQ and Secrets Manager have the same password"
  fi
  rm answer
done
"""


def line(broker: str, username: str, arn: str, console: str, held_by: str) -> str:
    """A line of BROKERS: the broker, its user, the secret, the console's address, and which URLs hold the password."""
    return f"{broker} {username} {arn} {console} {held_by}".rstrip()


def rotate(folder: str) -> str:
    """For the CLI's image; `folder` is one where it may write, and that nobody else reads.

    BROKERS has a line a broker (`line`). BROKER names one that gets a new password; with VERSION, the version's own.
    """
    return (
        (COMMON + _ROTATE)
        .format(
            folder=folder,
            length=PASSWORD_LENGTH,
            first=FIRST,
            answers_in_s=ANSWERS_IN_S,
            tries_more=TRIES_MORE,
        )
        .strip()
    )
