"""Organizations by the names people use."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Final, NamedTuple

from mutua.near_miss_index import NearMissIndex
from mutua.spelling import name_key, quote
from mutua.v1.query_service_pb2 import Organization

_MOST_NEAR: Final = 3


class AmbiguousNameError(LookupError):
    """Several organizations have one name; `names` has the label of each."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"may be {' or '.join(self.names)}")


class UnboundOrganization(NamedTuple):
    """An unregistered organization with a spelling of a registered one, or of several.

    Both count, as two organizations, until the id becomes an alias of the registered one.
    """

    organization_id: str
    registered_ids: tuple[str, ...]


class OrganizationDirectory:
    """The organizations of a programme, found by id, name or alias.

    Spellings are compared by `name_key`. Registered organizations are found before unregistered
    ones, which are ids that somebody recorded.
    """

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self._by_id = {each.organization_id: each for each in organizations}
        self._registered: dict[str, set[str]] = defaultdict(set)
        self._unregistered: dict[str, set[str]] = defaultdict(set)
        for organization_id, organization in self._by_id.items():
            ids_by_key = self._registered if organization.registered else self._unregistered
            for spelling in _spellings(organization):
                ids_by_key[name_key(spelling)].add(organization_id)
        self._registered.pop("", None)
        self._unregistered.pop("", None)

    def find(self, typed: str) -> str | None:
        """The id of an organization; None when no organization has this id, name or alias.

        A registered id as written goes first, then what the roster calls so, then unregistered
        ids. Raises AmbiguousNameError when several organizations have the name.
        """
        registered_id = self.find_registered(typed)
        if registered_id is not None:
            return registered_id
        return typed if typed in self._by_id else self._only(self._unregistered, typed)

    def find_registered(self, typed: str) -> str | None:
        """As `find`, of the roster alone."""
        organization = self._by_id.get(typed)
        if organization is not None and organization.registered:
            return typed
        return self._only(self._registered, typed)

    def find_near_misses(self, typed: str) -> list[str]:
        """Up to three ids of organizations with a near miss of what was typed, best first.

        Near misses are other legal forms (Ltd and Limited, Trust and NHS Trust), the first words of
        a name, and slips of the finger; see `NearMissIndex`.
        """
        near: dict[str, None] = {}
        for key in self._near_misses.find(typed):
            ids = self._registered.get(key) or self._unregistered[key]
            near |= dict.fromkeys(sorted(ids))
            if len(near) >= _MOST_NEAR:
                break
        return list(near)[:_MOST_NEAR]

    def find_unbound(self) -> list[UnboundOrganization]:
        """Unregistered organizations with a spelling of a registered one, by id.

        There are none when the organizations are those of identity as-now and every such id is an
        alias already.
        """
        return [
            UnboundOrganization(organization_id, tuple(sorted(registered_ids)))
            for organization_id, organization in sorted(self._by_id.items())
            if not organization.registered
            and (registered_ids := self._registered_with_spelling_of(organization))
        ]

    def find_shared_spellings(self) -> list[tuple[str, ...]]:
        """Ids of registered organizations that have a spelling in common, so that it finds none."""
        shared = {tuple(sorted(ids)) for ids in self._registered.values() if len(ids) > 1}
        return sorted(shared)

    def find_unregistered_spellings(self, typed: str) -> list[str]:
        """The unregistered ids that are spellings of what was typed, sorted."""
        ids = self._unregistered.get(name_key(typed), set())
        return sorted(each for each in ids if name_key(each) == name_key(typed))

    def find_all_registered(self, spelling: str) -> set[str]:
        """The registered organizations with this id, name or alias."""
        return set(self._registered.get(name_key(spelling), ()))

    def aliases_of(self, organization_id: str) -> tuple[str, ...]:
        organization = self._by_id.get(organization_id)
        return tuple(organization.aliases) if organization is not None else ()

    def owner_of_alias(self, alias: str) -> str | None:
        """The organization that has exactly this alias."""
        key = name_key(alias)
        candidates = (*self._registered.get(key, ()), *self._unregistered.get(key, ()))
        return next((each for each in sorted(candidates) if alias in self.aliases_of(each)), None)

    def get(self, organization_id: str) -> Organization | None:
        """The organization with exactly this id."""
        return self._by_id.get(organization_id)

    def name(self, organization_id: str) -> str:
        """The name on the roster, or ""."""
        organization = self._by_id.get(organization_id)
        return organization.name if organization is not None else ""

    def label(self, organization_id: str) -> str:
        """Name and id, or the id alone."""
        name = self.name(organization_id)
        return f"{name} ({organization_id})" if name else organization_id

    def join_labels(self, organization_ids: Iterable[str]) -> str:
        return ", ".join(map(self.label, organization_ids))

    @cached_property
    def _near_misses(self) -> NearMissIndex:
        return NearMissIndex({*self._registered, *self._unregistered})

    def _only(self, ids_by_key: dict[str, set[str]], typed: str) -> str | None:
        """The only id under a spelling. Raises AmbiguousNameError when there are several."""
        ids = sorted(ids_by_key.get(name_key(typed), ()))
        if len(ids) > 1:
            raise AmbiguousNameError(self._distinct_label(each) for each in ids)
        return ids[0] if ids else None

    def _distinct_label(self, organization_id: str) -> str:
        """The label; of an id without a name with quotation marks and what is hidden in it."""
        return self.label(organization_id) if self.name(organization_id) else quote(organization_id)

    def _registered_with_spelling_of(self, organization: Organization) -> set[str]:
        keys = map(name_key, _spellings(organization))
        return set().union(*(self._registered.get(key, ()) for key in keys))


def _spellings(organization: Organization) -> Iterable[str]:
    return (organization.organization_id, organization.name, *organization.aliases)
