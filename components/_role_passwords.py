"""Shell that makes the passwords of the database's roles in Secrets Manager, and never lets one out of the task.

Two steps of the bootstrap's task, in AWS's own image of its CLI; between them psql sets what the first one left in
files. A password is in no definition, no argument of a process and no line of output: printf, read and [ are the
shell's own, and the CLI reads what it puts from a file.

A role without a value gets one at once. One that is rotated gets a version AWSPENDING first, PostgreSQL learns it, and
then it becomes AWSCURRENT: until then the old one is current, and a bootstrap that names no role sets that again.
Whatever is interrupted, the same run once more goes on from there.
"""

from components._bootstrap import password_variable

PASSWORD_LENGTH = 48
# Of what a URL is put together from: a login (JSON with a password), or a secret that is all one value. The slash keeps
# a template from looking like a URL with a password in it.
LOGIN, VALUE = "login", "value"

# What a task needs that keeps logins in Secrets Manager, in a `folder` of its own: {folder} and {length} are filled in.
# `make`, `choose` and `login` leave what they found in `version` and `password`; VERSION is the operator's.
COMMON = """
umask 077
cd {folder}
ask() {{ aws secretsmanager "$@" --output text < /dev/null; }}
id_of() {{ ask get-secret-value --secret-id "$1" --version-stage "$2" --query VersionId; }}
look() {{
  stages=$(ask describe-secret --secret-id "$1" --query 'values(VersionIdsToStages || `{{}}`)[]')
  stages=" $(echo $stages) "
}}
has() {{ case $stages in *" $1 "*) ;; *) return 1 ;; esac; }}
login() {{
  value=$(ask get-secret-value --secret-id "$@" --query SecretString)
  password=${{value#*'"password":'}}
  password=${{password#*'"'}}
  password=${{password%%'"'*}}
  case $value in *'"password":'*) ;; *) password= ;; esac
  case $password in
    "" | *\\\\*) echo "$1 holds no login: JSON with a password that has no quote and no backslash" >&2; exit 65 ;;
  esac
}}
put() {{
  ask put-secret-value --secret-id "$1" --secret-string file://{folder}/new --version-stages "$2" --query VersionId &&
    rm new
}}
make() {{
  password=$(ask get-random-password --exclude-punctuation --password-length {length} --query RandomPassword)
  printf '{{"username":"%s","password":"%s"}}' "$1" "$password" > new
  version=$(put "$2" "$3")
}}
choose() {{
  version=$4
  if [ -n "$VERSION" ]; then
    version=$VERSION
    echo "$1: an earlier password comes back"
    return
  fi
  if has AWSPENDING; then version=$(id_of "$3" AWSPENDING); fi
  if [ "$version" = "$4" ]; then
    make "$2" "$3" AWSPENDING
    echo "$1: a new password is made"
  else
    echo "$1: a new password was made before"
  fi
}}
promote() {{
  current=$(id_of "$1" AWSCURRENT)
  if [ "$current" != "$2" ]; then
    ask update-secret-version-stage --secret-id "$1" --version-stage AWSCURRENT \\
      --move-to-version-id "$2" --remove-from-version-id "$current" > /dev/null
  fi
  look "$1"
  if has AWSPENDING; then
    # Else the next rotation would take it for one that was begun.
    ask update-secret-version-stage --secret-id "$1" --version-stage AWSPENDING \\
      --remove-from-version-id "$(id_of "$1" AWSPENDING)" > /dev/null
  fi
}}
"""

_MAKE = """
rm -f PASSWORD_* new promote
if [ -n "$ROLE" ]; then
  case "
$ROLES" in *"
$ROLE "*) ;; *) echo "The database has no role $ROLE: nothing is changed" >&2; exit 64 ;; esac
fi
printf '%s\\n' "$ROLES" | while read -r role variable arn; do
  [ -n "$role" ] || continue
  look "$arn"
  is_new=
  if has AWSCURRENT; then
    version=$(id_of "$arn" AWSCURRENT)
  else
    make "$role" "$arn" AWSCURRENT
    is_new=yes
    echo "$role: a password is made"
  fi
  # The first value of a role is no rotation.
  if [ "$role" = "$ROLE" ] && {{ [ -n "$VERSION" ] || [ -z "$is_new" ]; }}; then
    choose "$role" "$role" "$arn" "$version"
    printf '%s %s\\n' "$arn" "$version" > promote
  fi
  login "$arn" --version-id "$version"
  printf %s "$password" > "$variable"
done
"""

_SET = """
cd {folder}
for file in PASSWORD_*; do
  [ -f "$file" ] || continue
  export "$file=$(cat "$file")"
done
printf %s "$BOOTSTRAP_SQL" | psql --no-psqlrc
"""

_PUBLISH = """
rm -f PASSWORD_* new
LC_ALL=C
encode() {{
  encoded=
  while [ -n "$1" ]; do
    sign=${{1%"${{1#?}}"}}
    case $sign in
      [a-zA-Z0-9._~-]) encoded=$encoded$sign ;;
      *) encoded=$encoded$(printf %%%02X "'$sign") ;;
    esac
    set -- "${{1#?}}"
  done
}}
if [ -f promote ]; then
  read -r arn version < promote
  promote "$arn" "$version"
  rm promote
  echo "$ROLE: PostgreSQL and Secrets Manager have the same password"
fi
printf '%s\\n' "$URLS" | while read -r name arn rest; do
  [ -n "$name" ] || continue
  url=
  while case $rest in *"{{{{"*) ;; *) false ;; esac; do
    url=$url${{rest%%"{{{{"*}}
    rest=${{rest#*"{{{{"}}
    part=${{rest%%"}}}}"*}}
    rest=${{rest#*"}}}}"}}
    case $part in
      {login}/*) login "${{part#*/}}" --version-stage AWSCURRENT ;;
      *) password=$(ask get-secret-value --secret-id "${{part#*/}}" --version-stage AWSCURRENT --query SecretString) ;;
    esac
    encode "$password"
    url=$url$encoded
  done
  url=$url$rest
  look "$arn"
  value=
  if has AWSCURRENT; then
    value=$(ask get-secret-value --secret-id "$arn" --version-stage AWSCURRENT --query SecretString)
  fi
  if [ "$value" != "$url" ]; then
    printf %s "$url" > new
    put "$arn" AWSCURRENT > /dev/null
    echo "$name: put together anew"
  fi
done
"""


def roles_line(role: str, arn: str) -> str:
    """A line of ROLES: the role, the file that its password is left in, and its secret."""
    return f"{role} {password_variable(role)} {arn}"


def placeholder(kind: str, arn: str) -> str:
    """What stands in a URL's template for a secret; the value takes its place percent-encoded."""
    return f"{{{{{kind}/{arn}}}}}"


def make(folder: str) -> str:
    """For the CLI's image. Each role's password is left in a file of `folder`, for whoever runs this alone to read.

    ROLES has a line a role (`roles_line`). ROLE names one that gets a new password; with VERSION, the version's own.
    """
    return (COMMON + _MAKE).format(folder=folder, length=PASSWORD_LENGTH).strip()


def set_them(folder: str) -> str:
    """For PostgreSQL's image: the bootstrap's SQL, with the passwords in psql's own environment."""
    return _SET.format(folder=folder).strip()


def publish(folder: str) -> str:
    """For the CLI's image, once PostgreSQL has them: what was rotated becomes current, and URLs follow.

    URLS has a line a URL: the secret's name, its ARN, and the template, with placeholders for what is secret.
    """
    return (COMMON + _PUBLISH).format(folder=folder, length=PASSWORD_LENGTH, login=LOGIN).strip()
